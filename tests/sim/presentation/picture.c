#include "picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

int picture_new(struct picture *p, int width, int height)
{
    p->width = width;
    p->height = height;
    p->rgb = calloc((size_t)width * (size_t)height, 3);
    return p->rgb == NULL ? -1 : 0;
}

void picture_free(struct picture *p)
{
    free(p->rgb);
    memset(p, 0, sizeof(*p));
}

static int read_file(const char *path, uint8_t **out, size_t *len)
{
    FILE *file = fopen(path, "re");
    long size;
    int r = -1;

    *out = NULL;
    if (file == NULL || fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) <= 0)
        goto out;
    rewind(file);
    *len = (size_t)size;
    *out = malloc(*len + 1);
    if (*out != NULL && fread(*out, 1, *len, file) == *len) {
        (*out)[*len] = '\0';
        r = 0;
    }
out:
    if (r < 0)
        (void)fprintf(stderr, "cannot read %s\n", path);
    if (file != NULL)
        (void)fclose(file);
    return r;
}

int picture_read_jpeg(struct picture *p, const char *path)
{
    tjhandle tj = tjInitDecompress();
    int width, height, subsampling, colours, r = -1;
    uint8_t *data = NULL;
    size_t len;

    if (read_file(path, &data, &len) == 0 && tj != NULL &&
        tjDecompressHeader3(tj, data, len, &width, &height, &subsampling, &colours) == 0 &&
        picture_new(p, width, height) == 0)
        r = tjDecompress2(tj, data, len, p->rgb, width, 0, height, TJPF_RGB, 0) == 0 ? 0 : -1;
    free(data);
    if (tj != NULL)
        tjDestroy(tj);
    return r;
}

int picture_read_pnm(struct picture *p, const char *path)
{
    int width, height, most, at = 0, body, r = -1, planes;
    uint8_t *data = NULL;
    size_t len, pixels;
    char kind;

    if (read_file(path, &data, &len) < 0)
        goto out;
    /* "P5", a line of comment perhaps, sizes. */
    if (sscanf((const char *)data, "P%c%*[\n]%*[#]%*[^\n]%n", &kind, &at) < 1)
        goto out;
    if (at == 0)
        at = 2;
    body = at;
    if (sscanf((const char *)data + body, " %d %d %d%n", &width, &height, &most, &at) != 3 ||
        most != 255 || (kind != '5' && kind != '6') || width < 1 || height < 1 || width > 8000 ||
        height > 8000)
        goto out;
    at += body;
    planes = kind == '6' ? 3 : 1;
    pixels = (size_t)width * (size_t)height;
    if (len < (size_t)at + 1 + pixels * (size_t)planes || picture_new(p, width, height) < 0)
        goto out;
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < 3; c++)
            p->rgb[3 * i + c] = data[(size_t)at + 1 + (planes == 3 ? 3 * i + c : i)];
    r = 0;
out:
    if (r < 0)
        (void)fprintf(stderr, "no picture in %s\n", path);
    free(data);
    return r;
}

int picture_jpeg(const struct picture *p, int quality, uint8_t **jpeg, size_t *len)
{
    tjhandle tj = tjInitCompress();
    unsigned long size = 0;
    unsigned char *made = NULL;
    int r = -1;

    *jpeg = NULL;
    if (tj != NULL && tjCompress2(tj, p->rgb, p->width, 0, p->height, TJPF_RGB, &made, &size,
                                  TJSAMP_422, quality, 0) == 0) {
        *jpeg = malloc(size);
        if (*jpeg != NULL) {
            memcpy(*jpeg, made, size);
            *len = size;
            r = 0;
        }
    }
    tjFree(made);
    if (tj != NULL)
        tjDestroy(tj);
    return r;
}

void picture_sample(const struct picture *p, double x, double y, double rgb[3])
{
    const double fx = fmin(fmax(x - 0.5, 0), p->width - 1.001),
                 fy = fmin(fmax(y - 0.5, 0), p->height - 1.001);
    const int ix = (int)fx, iy = (int)fy;
    const double u = fx - ix, v = fy - iy;
    const uint8_t *a = p->rgb + 3 * ((size_t)iy * (size_t)p->width + (size_t)ix);
    const uint8_t *b = a + (iy + 1 < p->height ? 3 * (size_t)p->width : 0);
    const size_t right = ix + 1 < p->width ? 3 : 0;

    for (size_t c = 0; c < 3; c++)
        rgb[c] =
            (1 - v) * ((1 - u) * a[c] + u * a[c + right]) + v * ((1 - u) * b[c] + u * b[c + right]);
}

uint64_t dice_next(struct dice *d)
{
    uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

double dice_between(struct dice *d, double low, double high)
{
    return low + (high - low) * (double)(dice_next(d) >> 11) / 9007199254740992.0;
}

double dice_gauss(struct dice *d)
{
    double sum = 0;

    for (int i = 0; i < 4; i++)
        sum += dice_between(d, -1, 1);
    return sum * 0.8660254; /* four uniform ones: variance 4/3 */
}
