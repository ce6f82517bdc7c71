/* measure: time, and the table lines that every bench program prints: medians, and the spread between quartiles. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

uint64_t measure_now_ns(void);
/* Sorts `values`. q: 0..1. */
double measure_quantile(double *values, size_t n, double q);
/* "name   median unit   (first quartile .. third quartile, n runs)" */
void measure_print(const char *name, double *values, size_t n, const char *unit);
/* "name   p50   p99   max" of single events, in microseconds. */
void measure_print_events(const char *name, double *us, size_t n);

#endif
