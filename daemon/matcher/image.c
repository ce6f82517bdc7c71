#include "image.h"

#include <errno.h>

int image_resize(struct image *image, int width, int height)
{
    size_t need;

    if (width < IMAGE_SIDE_LEAST || height < IMAGE_SIDE_LEAST || width > IMAGE_SIDE_MOST ||
        height > IMAGE_SIDE_MOST)
        return -EINVAL;
    need = (size_t)width * (size_t)height * 3;
    if (image->pixels.size < need) {
        int r;

        secret_free(&image->pixels);
        image->width = image->height = 0;
        r = secret_new(&image->pixels, need);
        if (r < 0)
            return r;
    }
    image->pixels.len = need;
    image->width = width;
    image->height = height;
    return 0;
}

void image_wipe(struct image *image)
{
    if (image->pixels.data != NULL)
        secret_wipe(&image->pixels);
    image->width = image->height = 0;
}

void image_free(struct image *image)
{
    secret_free(&image->pixels);
    image->width = image->height = 0;
}
