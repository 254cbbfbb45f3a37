/* Any bytes as a file of raw frames: refused, or every frame can be read. */
#include "kernels/media/frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/tmp/st_fuzz_XXXXXX.stframes";
    const int fd = mkstemps(path, 9);
    if (fd < 0)
        return 0;
    st_frame_source *source;
    if (write(fd, data, size) == (ssize_t)size &&
        st_frames_open(&source, path, 1.0).code == ST_OK) {
        st_frame frame;
        bool got = true;
        unsigned sum = 0;
        while (st_frames_next(source, &frame, &got).code == ST_OK && got)
            sum += frame.rgb[frame.rows * frame.columns * 3 - 1];
        (void)sum;
        st_frames_close(source);
    }
    close(fd);
    unlink(path);
    return 0;
}
