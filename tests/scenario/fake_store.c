/* The scenarios' store: the unit tests' own, which can be made to fail. */
#include "../unit/fake_store.c"
