/* network.h - a checkpoint made ready to compute with.
 *
 * Matrices stay views of the file. What is small (norms, biases, scales, convolution taps) is
 * widened to f32 once, so that operators meet one type. Everything here is read-only after opening:
 * sessions share a network, each with its own state.
 *
 * May include: kernels, model/weights.h.
 */
#ifndef ST_MODEL_NETWORK_H
#define ST_MODEL_NETWORK_H

#include "kernels/base/digest.h"
#include "kernels/base/pool.h"
#include "kernels/stream.h"
#include "model/weights.h"

typedef struct st_network {
    st_model_config config;     /* as the checkpoint settled it                         */
    st_weights     *weights;    /* owned; small tensors replaced by their f32 copies    */
    st_pool        *pool;       /* owned                                                */
    st_stream      *stream;     /* owned, on the host                                   */
    st_arena        arena;      /* the f32 copies                                       */
    st_digest       digest;     /* of config, rule, names, shapes and samples of values */
} st_network;

/* Open the checkpoint of `folder`.
 *
 *   config   from st_model_config_load, with the rule flags this run wants
 *   seed     of fast-weight tensors that the checkpoint lacks
 *   jobs     threads; 0 is one per core
 *
 * The digest covers the first, middle and last 4 KiB of every tensor: enough to tell two
 * checkpoints apart, and quick for 4 GB.
 *
 * Fails   what st_weights_open and st_pool_create fail with
 */
ST_CHECKED st_status st_network_open(st_network **network, const st_model_config *config,
                                     const char *folder, uint64_t seed, int jobs);
void st_network_close(st_network *network);

#endif
