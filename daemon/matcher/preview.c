#include "preview.h"

#include "warp.h"

#include <errno.h>
#include <stdlib.h>
#include <turbojpeg.h>

#define QUALITY 72

struct preview {
    tjhandle handle;
    struct image small;
    struct secret jpeg;
};

struct preview *preview_new(void)
{
    struct preview *preview = calloc(1, sizeof(*preview));

    if (preview == NULL)
        return NULL;
    preview->handle = tjInitCompress();
    if (preview->handle == NULL) {
        free(preview);
        return NULL;
    }
    return preview;
}

void preview_free(struct preview **preview)
{
    if (*preview == NULL)
        return;
    tjDestroy((*preview)->handle);
    image_free(&(*preview)->small);
    secret_free(&(*preview)->jpeg);
    free(*preview);
    *preview = NULL;
}

void preview_wipe(struct preview *preview)
{
    image_wipe(&preview->small);
    if (preview->jpeg.data != NULL)
        secret_wipe(&preview->jpeg);
}

int preview_make(struct preview *preview, const struct image *image, const uint8_t **out,
                 size_t *len)
{
    const struct box whole = {0, 0, (float)image->width, (float)image->height};
    const struct image *from = image;
    unsigned char *buffer;
    unsigned long size, most;
    int r;

    if (image->width > PREVIEW_WIDTH_MOST) {
        int height = image->height * PREVIEW_WIDTH_MOST / image->width;
        struct warp_map map;

        if (height < IMAGE_SIDE_LEAST)
            height = IMAGE_SIDE_LEAST;
        r = image_resize(&preview->small, PREVIEW_WIDTH_MOST, height);
        if (r < 0)
            return r;
        map = warp_of_box(&whole, PREVIEW_WIDTH_MOST, height);
        warp_to_bytes(image, &map, PREVIEW_WIDTH_MOST, height, preview->small.pixels.data);
        from = &preview->small;
    }
    most = tjBufSize(from->width, from->height, TJSAMP_420);
    if (preview->jpeg.size < most) {
        secret_free(&preview->jpeg);
        r = secret_new(&preview->jpeg, most);
        if (r < 0)
            return r;
    }
    buffer = preview->jpeg.data;
    size = most;
    if (tjCompress2(preview->handle, from->pixels.data, from->width, 0, from->height, TJPF_BGR,
                    &buffer, &size, TJSAMP_420, QUALITY, TJFLAG_NOREALLOC | TJFLAG_FASTDCT) < 0)
        return -EIO;
    preview->jpeg.len = size;
    *out = preview->jpeg.data;
    *len = size;
    return 0;
}
