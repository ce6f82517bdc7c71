#include "camera.h"

const char *camera_trouble_name(enum camera_trouble trouble)
{
    static const char *const names[CAMERA_TROUBLE_COUNT] = {
        [CAMERA_OK] = "ok",           [CAMERA_GONE] = "gone",
        [CAMERA_HELD] = "held",       [CAMERA_UNSUPPORTED] = "unsupported",
        [CAMERA_REFUSED] = "refused", [CAMERA_TIMEOUT] = "timeout",
        [CAMERA_SILENT] = "silent",   [CAMERA_FAILED] = "failed",
    };

    return (unsigned)trouble < CAMERA_TROUBLE_COUNT ? names[trouble] : "unknown";
}

void camera_listen(struct camera *camera, const struct camera_listener *listener, void *arg)
{
    camera->listener = listener;
    camera->arg = arg;
}

int camera_start(struct camera *camera, const struct camera_need *need, uint64_t deadline_us)
{
    return camera->ops->start(camera, need, deadline_us);
}

void camera_stop(struct camera *camera)
{
    camera->ops->stop(camera);
}

struct camera_counters camera_counters(const struct camera *camera)
{
    return camera->ops->counters(camera);
}

void camera_free(struct camera **camera)
{
    struct camera *it = *camera;

    if (it == NULL)
        return;
    *camera = NULL;
    it->ops->free(it);
}
