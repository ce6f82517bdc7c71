/* resolver: gets the C library ready to look names up inside the cage. */
#ifndef UKETSUKE_RELAY_RESOLVER_H
#define UKETSUKE_RELAY_RESOLVER_H

/*
 * Load the modules that the "hosts" line of /etc/nsswitch.conf names: later the cage would refuse
 * to open them. No name is looked up, so that a dead name server cannot hold up the start.
 */
void resolver_load_modules(void);

#endif
