/* thresholds.h - every number that decides which questions are asked, in one table.
 *
 * The manifest prints the table, the tests stand one step inside and one step outside of each
 * entry. Q-numbers are the rules of data.md section 5. An inequality holds on its threshold: a
 * distance of distance_min_m is asked.
 *
 * May include: nothing of ours.
 */
#ifndef ST_THRESHOLDS_H
#define ST_THRESHOLDS_H

/* X(name, value, rule): names carry their unit; *_share and *_ratio are plain numbers. */
#define ST_THRESHOLD_TABLE(X)                                                                     \
    /* object_counting */                                                                         \
    X(count_min, 2, "Q-20")             /* fewer are asked only as "exactly one"   */             \
    X(count_max, 20, "Q-20")                                                                      \
    X(count_one_share, 0.10, "Q-20")    /* of all rows, how many may answer 1      */             \
    X(count_answer_share, 0.30, "Q-20") /* of the others, how many may agree       */             \
    X(count_label_share, 0.20, "Q-20")  /* of the others, how many about one label */             \
    /* object_size_estimation */                                                                  \
    X(size_min_m, 0.15, "Q-21")                                                                   \
    X(size_max_m, 4.0, "Q-21")                                                                    \
    X(size_stable_m, 0.03, "Q-21")      /* min-OBB against upright box: this much, */             \
    X(size_stable_share, 0.05, "Q-21")  /* or this share, whichever is more        */             \
    X(size_usual_share, 0.10, "Q-21")   /* this near to the label's median ...     */             \
    X(size_usual_drop, 0.5, "Q-21")     /* ... goes with this probability          */             \
    /* room_size_estimation */                                                                    \
    X(room_min_m2, 3.0, "Q-22")                                                                   \
    X(room_max_m2, 150.0, "Q-22")                                                                 \
    X(room_floor_min_ratio, 0.75, "M-3") /* floor_area / area, where measured      */             \
    X(room_floor_max_ratio, 1.25, "M-3")                                                          \
    /* object_abs_distance */                                                                     \
    X(distance_min_m, 0.5, "Q-23")                                                                \
    X(distance_max_m, 8.0, "Q-23")                                                                \
    X(distance_gap_m, 0.10, "Q-23")     /* boxes against surfaces: this much,      */             \
    X(distance_gap_share, 0.10, "Q-23") /* or this share, whichever is more        */             \
    X(distance_bin_ratio, 2.0, "Q-23")  /* fullest answer over the mean of answers */             \
    /* object_rel_distance */                                                                     \
    X(nearest_min_m, 0.20, "Q-24")                                                                \
    X(nearest_max_m, 6.0, "Q-24")                                                                 \
    X(nearest_gap_m, 0.30, "Q-24")      /* to the second: this much,               */             \
    X(nearest_gap_share, 0.15, "Q-24")  /* and this share of the second            */             \
    X(nearest_answer_share, 0.15, "Q-24")                                                         \
    /* object_rel_direction_* */                                                                  \
    X(stand_min_m, 0.5, "Q-25")         /* from P to O and to Q, between boxes     */             \
    X(stand_max_m, 5.0, "Q-25")                                                                   \
    X(stand_centre_min_m, 1.0, "Q-25")  /* the same between centres, from above    */             \
    X(target_min_m, 0.3, "Q-25")        /* from O to Q, between boxes              */             \
    X(stand_side_max_m, 1.6, "Q-25")    /* longest footprint side of P             */             \
    X(target_side_max_m, 2.0, "Q-25")   /* longest footprint side of O and of Q    */             \
    X(bearing_margin_deg, 20.0, "Q-25")                                                           \
    X(sector_ratio, 1.25, "Q-25")       /* fullest sector over the rarest; the     */             \
                                        /* bound of Q-43 asks for more than 1.5    */             \
    /* route_planning */                                                                          \
    X(route_blanks_1_share, 0.35, "Q-27") /* rows by number of blanks; those with  */             \
    X(route_blanks_2_share, 0.45, "Q-27") /* two may have more, they fill up       */             \
    X(route_blanks_3_share, 0.15, "Q-27")                                                         \
    X(route_blanks_4_share, 0.05, "Q-27")                                                         \
    X(route_back_share, 0.15, "Q-27")   /* of all turns, at least                  */             \
    X(route_side_ratio, 1.25, "Q-27")   /* left over right, right over left        */             \
    /* rows kept per scene */                                                                     \
    X(cap_counting, 6, "Q-11")                                                                    \
    X(cap_size, 8, "Q-11")                                                                        \
    X(cap_room_size, 1, "Q-11")                                                                   \
    X(cap_abs_distance, 8, "Q-11")                                                                \
    X(cap_rel_distance_2, 2, "Q-11")    /* by number of options; 8 together        */             \
    X(cap_rel_distance_3, 2, "Q-11")                                                              \
    X(cap_rel_distance_4, 4, "Q-11")                                                              \
    X(cap_direction_easy, 4, "Q-11")                                                              \
    X(cap_direction_medium, 6, "Q-11")                                                            \
    X(cap_direction_hard, 6, "Q-11")                                                              \
    X(cap_route, 2, "Q-11")                                                                       \
    X(candidates_per_content, 24, "Q-2") /* kept between the phases: of one scene, */             \
                                        /* type and answer                         */             \
    /* bounds on what a blind guesser may score */                                                \
    X(blind_content_ratio, 1.25, "Q-43") /* times 1 / options                      */             \
    X(blind_size_mra, 0.60, "Q-43")                                                               \
    /* splits */                                                                                  \
    X(val_share, 0.02, "O-3")           /* of spaces, by hash                      */

#define ST_THRESHOLD_FIELD(name, value, rule) double name;
typedef struct st_thresholds {
    ST_THRESHOLD_TABLE(ST_THRESHOLD_FIELD)
} st_thresholds;
#undef ST_THRESHOLD_FIELD

#define ST_THRESHOLD_VALUE(name, value, rule) .name = (value),
static const st_thresholds st_thresholds_default = {ST_THRESHOLD_TABLE(ST_THRESHOLD_VALUE)};
#undef ST_THRESHOLD_VALUE

#endif
