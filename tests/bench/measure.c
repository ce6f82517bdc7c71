#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t measure_now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double measure_quantile(double *values, size_t n, double q)
{
    qsort(values, n, sizeof(*values), by_size);
    return values[(size_t)((double)(n - 1) * q + 0.5)];
}

void measure_print(const char *name, double *values, size_t n, const char *unit)
{
    double median = measure_quantile(values, n, 0.5);

    printf("  %-46s %12.0f %-6s (%.0f .. %.0f, %zu runs)\n", name, median, unit,
           measure_quantile(values, n, 0.25), measure_quantile(values, n, 0.75), n);
    fflush(stdout);
}

void measure_print_events(const char *name, double *us, size_t n)
{
    printf("  %-46s p50 %8.1f us   p99 %8.1f us   max %8.1f us   (%zu)\n", name,
           measure_quantile(us, n, 0.5), measure_quantile(us, n, 0.99),
           measure_quantile(us, n, 1.0), n);
    fflush(stdout);
}
