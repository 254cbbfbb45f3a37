/* ttt_absent.c - the fast weights' device twins in a build without CUDA: they all say so. */
#include "kernels/ttt_internal.h"

#define ABSENT ST_FAIL(ST_ERR_UNSUPPORTED, "this build has no CUDA: configure with -DST_CUDA=ON")

st_status sti_ttt_begin_device(st_stream *q, st_ttt_state *s, const st_ttt_weights *w)
{
    (void)q, (void)s, (void)w;
    return ABSENT;
}

st_status sti_ttt_narrow_device(st_stream *q, st_ttt_state *s)
{
    (void)q, (void)s;
    return ABSENT;
}

st_status sti_ttt_run_device(st_stream *q, st_ttt_state *s, const sti_ttt_view *x, unsigned work,
                             st_slab *scratch)
{
    (void)q, (void)s, (void)x, (void)work, (void)scratch;
    return ABSENT;
}

st_status sti_ttt_append_device(st_stream *q, st_ttt_state *s, const sti_ttt_view *x)
{
    (void)q, (void)s, (void)x;
    return ABSENT;
}

st_status sti_ttt_fire_device(st_stream *q, st_ttt_state *s, const sti_ttt_slot *slot,
                              st_slab *scratch)
{
    (void)q, (void)s, (void)slot, (void)scratch;
    return ABSENT;
}

st_status sti_ttt_backward_device(st_stream *q, const st_ttt_rule *rule, const st_ttt_tape *tape,
                                  int64_t first_slot, const sti_ttt_view *x,
                                  const sti_ttt_view_grads *g, float *weight_grad, st_slab *scratch)
{
    (void)q, (void)rule, (void)tape, (void)first_slot, (void)x, (void)g, (void)weight_grad;
    (void)scratch;
    return ABSENT;
}

st_status sti_ttt_give_device(st_stream *q, const st_ttt_rule *rule, const float *weight_grad,
                              st_ttt_grads *grads)
{
    (void)q, (void)rule, (void)weight_grad, (void)grads;
    return ABSENT;
}

st_status sti_ttt_step_plan_device(st_slab *scratch, const st_ttt_rule *rule, int64_t count_max)
{
    (void)scratch, (void)rule, (void)count_max;
    return ABSENT;
}

st_status sti_ttt_backward_plan_device(st_slab *scratch, const st_ttt_rule *rule,
                                       int64_t count_max)
{
    (void)scratch, (void)rule, (void)count_max;
    return ABSENT;
}
