#include "people.h"

#include <stdio.h>
#include <string.h>

/* Eras begin on a day, not on a new year (first days as the facts of the card protocol have them).
 */
static const struct {
    const char *name;
    int first; /* YYYYMMDD */
} eras[] = {{"昭和", 19261225}, {"平成", 19890108}, {"令和", 20190501}};

static const char *const families[] = {"佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺",
                                       "山本", "中村", "小林", "加藤", "番号"};
static const char *const given[] = {"花子", "太郎", "一郎", "美咲",   "陽菜",
                                    "健",   "誠",   "翔太", "さくら", "七海"};
static const char *const places[] = {"東京都千代田区霞が関", "大阪府大阪市北区中之島",
                                     "北海道札幌市中央区北", "福岡県福岡市博多区博多駅前",
                                     "宮城県仙台市青葉区本町"};

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) ? 29
                                                                                 : days[month - 1];
}

static void print_birth(struct cardface_person *p, enum cardface_fault fault, int year, int month,
                        int day, char digits[40])
{
    const int date = year * 10000 + month * 100 + day;
    unsigned era = 0;
    int of_era;
    char number[16];

    while (era + 1 < sizeof(eras) / sizeof(eras[0]) && date >= eras[era + 1].first)
        era++;
    of_era = year - eras[era].first / 10000 + 1;
    if (fault == CARDFACE_NO_SUCH_DATE) { /* years after the era's end */
        era = 1;
        of_era = 32 + day % 30;
    }
    (void)snprintf(digits, 40, "%02d%02d%02d", of_era % 100, month, day);
    (void)snprintf(number, sizeof(number), "%2d", of_era);
    if (fault == CARDFACE_GREGORIAN)
        (void)snprintf(p->birth, sizeof(p->birth), "%4d年%2d月%2d日生", year, month, day);
    else
        (void)snprintf(p->birth, sizeof(p->birth), "%s%s年%2d月%2d日生", eras[era].name,
                       of_era == 1 ? "元" : number, month, day);
}

void person_draw(struct cardface_person *p, struct lot *lot, enum cardface_fault fault, int today)
{
    const int this_year = today / 10000;
    /* First years of an era are rare in life and the hardest to read: one in eight here. */
    const int year =
        lot_below(lot, 8) == 0 ? (lot_below(lot, 2) ? 1989 : 2019) : 1931 + (int)lot_below(lot, 94);
    const int month = 1 + (int)lot_below(lot, 12),
              day = 1 + (int)lot_below(lot, (unsigned)days_of(year, month));
    int issued = this_year - (int)lot_below(lot, 10), expiry, expiry_month = month,
        expiry_day = day;
    char digits[40];

    memset(p, 0, sizeof(*p));
    if (issued <= year)
        issued = year + 1;
    /* The tenth birthday after the issue, the fifth for the young; the birthday of the year itself
     * may be yet to come. */
    expiry = issued + (issued - year < 20 ? 5 : 10) - (int)lot_below(lot, 2);
    if (expiry < this_year)
        expiry = this_year + (int)lot_below(lot, 5);
    if (fault == CARDFACE_NOT_BIRTHDAY)
        expiry_day = day % 28 + 1 == day ? 1 : day % 28 + 1;
    if (month == 2 && day == 29 && days_of(expiry, 2) == 28)
        expiry_day = 28;
    p->woman = lot_below(lot, 2) != 0;
    (void)snprintf(p->name, sizeof(p->name), "%s %s", families[lot_below(lot, 11)],
                   given[lot_below(lot, 10)]);
    (void)snprintf(p->address, sizeof(p->address), "%s%u丁目%u番地%u号", places[lot_below(lot, 5)],
                   1 + lot_below(lot, 9), 1 + lot_below(lot, 40), 1 + lot_below(lot, 30));
    print_birth(p, fault, year, month, day, digits);
    (void)snprintf(p->expiry, sizeof(p->expiry), "%4d年%2d月%2d日まで有効", expiry, expiry_month,
                   expiry_day);
    if (lot_below(lot, 2) == 0)
        (void)snprintf(p->certificate, sizeof(p->certificate), "%4d年%2d月%2d日",
                       this_year + (int)lot_below(lot, 5), month, day);
    (void)snprintf(p->code, sizeof(p->code), "%04u", lot_below(lot, 10000));
    (void)snprintf(p->number_b, sizeof(p->number_b), "%.6s%04d%.4s", digits, expiry % 10000,
                   p->code);
}

bool person_read(struct cardface_person *p, const char *card_file)
{
    FILE *file = fopen(card_file, "re");
    char line[512], digits[40] = "";
    int birth = 0, expiry = 0;

    memset(p, 0, sizeof(*p));
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        (void)sscanf(line, "birth = %8d", &birth);
        (void)sscanf(line, "expiry = %8d", &expiry);
        (void)sscanf(line, "security-code = %4s", p->code);
        (void)sscanf(line, "number-b = %14s", p->number_b);
        p->woman = p->woman || strcmp(line, "sex = 2") == 0;
        if (strncmp(line, "name = ", 7) == 0)
            (void)snprintf(p->name, sizeof(p->name), "%.31s", line + 7);
        if (strncmp(line, "address = ", 10) == 0)
            (void)snprintf(p->address, sizeof(p->address), "%.95s", line + 10);
    }
    if (file != NULL)
        (void)fclose(file);
    if (birth < eras[0].first || expiry == 0 || p->code[0] == '\0' || p->number_b[0] != '\0')
        return false; /* what is printed does not give the number */
    print_birth(p, CARDFACE_RIGHT, birth / 10000, birth / 100 % 100, birth % 100, digits);
    (void)snprintf(p->expiry, sizeof(p->expiry), "%4d年%2d月%2d日まで有効", expiry / 10000,
                   expiry / 100 % 100, expiry % 100);
    (void)snprintf(p->number_b, sizeof(p->number_b), "%.6s%04d%.4s", digits, expiry / 10000 % 10000,
                   p->code);
    return true;
}
