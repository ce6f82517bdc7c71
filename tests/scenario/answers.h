/* answers: what the service says in scripts, by kind, in the shapes and codes of the eligibility facts. */
#ifndef TEST_SCENARIO_ANSWERS_H
#define TEST_SCENARIO_ANSWERS_H

struct xmlmsg;

/* NULL: no such kind. The caller frees it. */
struct xmlmsg *stage_answer_tree(const char *kind);

/* In every result: that element (or path) has this value; "" takes it out. */
void stage_answer_change(struct xmlmsg *tree, const char *path, const char *value);

#endif
