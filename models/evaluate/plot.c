/* ROC (FMR on a logarithmic axis) and DET (both axes in normal deviates), drawn with nothing but
 * text. */
#include "evaluate.h"

#include <errno.h>
#include <math.h>

#define SIDE 420.0
#define LEFT 70.0
#define TOP 50.0
#define BETWEEN 110.0
#define STEPS 240

struct frame_of_plot {
    double x, y; /* of the upper left corner */
};

/* FMR from 1e-6 to 1 on the ROC, both from 1e-5 to 0.5 on the DET: 0..1 of the side. */
static double log_place(double p)
{
    return fmin(fmax((log10(fmax(p, 1e-6)) + 6) / 6, 0), 1);
}
static double det_place(double p)
{
    const double low = normal_deviate(1e-5), high = normal_deviate(0.5);

    return fmin(fmax((normal_deviate(fmin(fmax(p, 1e-5), 0.5)) - low) / (high - low), 0), 1);
}

static void curve(FILE *file, const struct comparisons *c, bool det, struct frame_of_plot f,
                  const char *style)
{
    const size_t n = c->impostor.count;
    double last_x = -1, last_y = -1;

    fprintf(file, "<polyline fill=\"none\" %s points=\"", style);
    for (int i = 0; i <= STEPS; i++) {
        const double fmr = pow(10, -6 + 6.0 * i / STEPS);
        const float t = threshold_at_fmr(&c->impostor, fmr);
        const double x = fmr_at(&c->impostor, t), y = fnmr_at(&c->genuine, t);

        if (n == 0 || x * (double)n < 1 || (x <= last_x && y >= last_y))
            continue;
        last_x = x;
        last_y = y;
        fprintf(file, "%.1f,%.1f ", f.x + SIDE * (det ? det_place(x) : log_place(x)),
                f.y + SIDE * (det ? 1 - det_place(y) : y));
    }
    fputs("\"/>\n", file);
}

static void grid(FILE *file, struct frame_of_plot f, bool det)
{
    static const double ticks[] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 1};

    fprintf(file,
            "<rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\" fill=\"none\" "
            "stroke=\"#444\"/>\n",
            f.x, f.y, SIDE, SIDE);
    for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
        const double at = SIDE * (det ? det_place(ticks[i]) : log_place(ticks[i]));

        if (det ? ticks[i] < 1e-5 || ticks[i] > 0.5 : ticks[i] == 0.5)
            continue;
        fprintf(file,
                "<path d=\"M%.1f %.1fV%.1f\" stroke=\"#ddd\"/><text x=\"%.1f\" y=\"%.1f\" "
                "text-anchor=\"middle\">%g</text>\n",
                f.x + at, f.y, f.y + SIDE, f.x + at, f.y + SIDE + 18, ticks[i]);
        if (det)
            fprintf(file,
                    "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#ddd\"/><text x=\"%.1f\" y=\"%.1f\" "
                    "text-anchor=\"end\">%g</text>\n",
                    f.x, f.y + SIDE - at, f.x + SIDE, f.x - 6, f.y + SIDE - at + 4, ticks[i]);
    }
    for (int i = 0; !det && i <= 10; i += 2)
        fprintf(file,
                "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#ddd\"/><text x=\"%.1f\" y=\"%.1f\" "
                "text-anchor=\"end\">%.1f</text>\n",
                f.x, f.y + SIDE * (10 - i) / 10, f.x + SIDE, f.x - 6,
                f.y + SIDE * (10 - i) / 10 + 4, i / 10.0);
    fprintf(file,
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">FMR</text><text x=\"%.1f\" "
            "y=\"%.1f\">%s</text>\n",
            f.x + SIDE / 2, f.y + SIDE + 38, f.x, f.y - 12,
            det ? "DET: FNMR over FMR" : "ROC: 1 - FNMR over FMR");
}

int plot_write(const char *path, const struct comparisons *ours, const struct comparisons *single)
{
    const struct frame_of_plot roc = {LEFT, TOP}, det = {LEFT + SIDE + BETWEEN, TOP};
    static const char solid[] = "stroke=\"#0a58ca\" stroke-width=\"2\"",
                      dashed[] = "stroke=\"#b02a37\" stroke-width=\"1.5\" stroke-dasharray=\"5 4\"";
    FILE *file = fopen(path, "we");
    int r = 0;

    if (file == NULL)
        return -errno;
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
            "font-family=\"sans-serif\" font-size=\"13\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
            det.x + SIDE + 40, TOP + SIDE + 80);
    for (int i = 0; i < 2; i++) {
        const struct frame_of_plot f = i == 0 ? roc : det;

        grid(file, f, i == 1);
        curve(file, single, i == 1, f, dashed);
        curve(file, ours, i == 1, f, solid);
    }
    fprintf(file,
            "<text x=\"%.0f\" y=\"%.0f\" fill=\"#0a58ca\">this matcher</text><text x=\"%.0f\" "
            "y=\"%.0f\" fill=\"#b02a37\">without the mirror</text>\n</svg>\n",
            LEFT, TOP + SIDE + 66, LEFT + 120, TOP + SIDE + 66);
    if (ferror(file))
        r = -EIO;
    if (fclose(file) != 0)
        r = -errno;
    return r;
}
