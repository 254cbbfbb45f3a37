/* vision.h - the tower that turns patches of pixels into tokens of the decoder.
 *
 * A *patch* is 16x16 pixels of two frames; a *grid* is all patches of those frames. Patches of one
 * grid see each other and nothing else, so a video may be read grid by grid, as it comes. Four
 * neighbouring patches leave as one token. Three blocks on the way hand out features of their own
 * (*deepstack*), which the decoder adds behind its first layers.
 *
 * May include: kernels, model/network.h.
 */
#ifndef ST_MODEL_VISION_H
#define ST_MODEL_VISION_H

#include "model/network.h"

typedef struct st_vision st_vision;

/* Where the answers go; tokens in the order grid, row, column. N = patches / merge^2, H is the
 * width of the decoder, D that of the tower. */
typedef struct st_vision_tokens {
    float *merged;                          /* (N,H)                               */
    float *deepstack[ST_DEEPSTACK_MAX];     /* (N,H) each, as many as the config says */
    float *patches;                         /* (patches,D) after the last block, or NULL */
} st_vision_tokens;

/* All memory for grids of up to `patches_max` patches is taken here.
 *
 * Fails   ST_ERR_MEMORY; ST_ERR_USAGE patches_max below one merge block
 */
ST_CHECKED st_status st_vision_create(st_vision **vision, const st_network *network,
                                      int64_t patches_max);
void st_vision_free(st_vision *vision);

/* Read `grids` grids of rows x columns patches.
 *
 *   pixels   (grids*rows*columns, 1536) f32 in the order of merge blocks; values in [-1,1]
 *   rows, columns   multiples of the merge edge
 *
 * Fails   ST_ERR_LIMIT a grid has more patches than planned; ST_ERR_DATA sizes that do not merge
 * Source  model.md 5.1-5.5
 */
ST_CHECKED st_status st_vision_read(st_vision *vision, const st_vision_tokens *tokens,
                                    const float *pixels, int64_t grids, int64_t rows,
                                    int64_t columns);

#endif
