/* people: invented card holders. */
#ifndef CARDFACE_PEOPLE_H
#define CARDFACE_PEOPLE_H

#include "canvas.h"
#include "cardface.h"

void person_draw(struct cardface_person *p, struct lot *lot, enum cardface_fault fault, int today);
/* As a card's description (tests/sim/cards) has them. False: its number does not follow from what is printed. */
bool person_read(struct cardface_person *p, const char *card_file);

#endif
