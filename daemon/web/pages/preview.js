// The live picture: the newest frame is asked for by the number of the one we have, so a slow screen skips frames
// instead of falling behind. Nothing is kept: the canvas is cleared when the screen is left.
export function preview(lane, canvas, onframe) {
    const stop = new AbortController();
    const context = canvas.getContext("2d", { alpha: false });
    let frame = 0;

    async function run() {
        while (!stop.signal.aborted) {
            try {
                const response = await fetch(`/api/lanes/${lane}/preview?after=${frame}`, {
                    headers: { "X-Uketsuke": "kiosk" },
                    cache: "no-store",
                    signal: stop.signal,
                });
                if (response.status !== 200) {
                    if (response.status !== 204)
                        await new Promise((done) => setTimeout(done, 500));
                    continue;
                }
                const picture = await createImageBitmap(await response.blob());
                frame = Number(response.headers.get("X-Frame"));
                if (stop.signal.aborted) {
                    picture.close();
                    break;
                }
                if (canvas.width !== picture.width || canvas.height !== picture.height) {
                    canvas.width = picture.width;
                    canvas.height = picture.height;
                }
                context.drawImage(picture, 0, 0);
                picture.close();
                onframe?.();
            } catch {
                if (!stop.signal.aborted)
                    await new Promise((done) => setTimeout(done, 500));
            }
        }
    }
    run();
    return () => {
        stop.abort();
        context.fillStyle = "#000";
        context.fillRect(0, 0, canvas.width, canvas.height);
    };
}
