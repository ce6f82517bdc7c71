#include "plane.h"

#include <errno.h>

int plane_resize(struct plane *plane, int width, int height)
{
    size_t size;

    if (width < PLANE_SIDE_LEAST || height < PLANE_SIDE_LEAST || width > PLANE_SIDE_MOST ||
        height > PLANE_SIDE_MOST)
        return -EINVAL;
    size = (size_t)width * (size_t)height;
    if (plane->room.size < size) {
        int r;

        secret_free(&plane->room);
        plane->width = plane->height = 0;
        r = secret_new(&plane->room, size);
        if (r < 0)
            return r;
    }
    plane->room.len = size;
    plane->width = width;
    plane->height = height;
    return 0;
}

void plane_wipe(struct plane *plane)
{
    if (plane->room.data != NULL)
        secret_wipe(&plane->room);
    plane->width = plane->height = 0;
}

void plane_free(struct plane *plane)
{
    secret_free(&plane->room);
    plane->width = plane->height = 0;
}
