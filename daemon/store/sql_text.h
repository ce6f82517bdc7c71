/* sql_text: the files of sql/, built into the program (sql/embed.awk writes the table). */
#ifndef UKETSUKE_SQL_TEXT_H
#define UKETSUKE_SQL_TEXT_H

#include <stddef.h>

enum sql_kind { SQL_END, SQL_MIGRATION, SQL_QUERY };

struct sql_text {
    enum sql_kind kind;
    const char *name; /* the file's name without ending */
    const char *text;
};

/* Migrations in their order, then queries; ends with SQL_END. */
extern const struct sql_text sql_texts[];

#endif
