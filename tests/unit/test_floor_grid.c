/* Floors in cells: rooms known by heart, and every rule of free space checked cell by cell. */
#include "arena_fixture.h"

#include "geometry/floor_grid.h"
#include "kernels/base/rng.h"

typedef struct scan {
    double (*p)[3];
    size_t n;
} scan;

static void add_point(scan *s, double x, double y, double z)
{
    s->p[s->n][0] = x;
    s->p[s->n][1] = y;
    s->p[s->n++][2] = z;
}

/* A 4 x 3 m room with a floor of points 2.5 cm apart; where `table` says so, a block 0.7 m high
 * stands on it instead: its top, and its sides every 10 cm. */
static void make_room(scan *s, const double table[4])
{
    for (int i = 0; i <= 160; i++)
        for (int j = 0; j <= 120; j++) {
            const double x = i * 0.025, y = j * 0.025;
            const bool on = table && x >= table[0] && x <= table[2] && y >= table[1] &&
                            y <= table[3];
            add_point(s, x, y, on ? 0.7 : 0.0);
            for (int k = 2; on && k < 7; k++)
                add_point(s, x, y, k * 0.1);
        }
}

static st_floor_grid grid_of(st_arena *arena, const scan *s)
{
    st_room_area area;
    st_floor_grid grid;
    must(st_room_area_measure(&area, arena, (const double (*)[3])s->p, s->n, 1));
    must(st_floor_grid_build(&grid, arena, area.rings, area.ring_count,
                             (const double (*)[3])s->p, s->n, 0.0));
    return grid;
}

static size_t count_bit(const st_floor_grid *grid, st_cell bit)
{
    size_t count = 0;
    for (int c = 0; c < grid->columns * grid->rows; c++)
        count += (grid->cells[c] & bit) != 0;
    return count;
}

static void an_empty_room_is_free_but_for_its_rim(void **state)
{
    st_arena *arena = *state;
    scan s = {.n = 0};
    must(ST_ALLOC(arena, &s.p, 200000));
    make_room(&s, NULL);
    const st_floor_grid grid = grid_of(arena, &s);
    assert_int_equal(count_bit(&grid, ST_CELL_ROOM), 80 * 60);
    assert_int_equal(count_bit(&grid, ST_CELL_FLOOR), 80 * 60);
    assert_int_equal(count_bit(&grid, ST_CELL_OBSTACLE), 0);
    assert_int_equal(count_bit(&grid, ST_CELL_FREE), 72 * 52);      /* 4 cells off every wall */
    assert_int_equal(grid.region_count, 1);

    const int64_t cell = st_floor_grid_at(&grid, 2.01, 1.52);
    double xy[2];
    st_floor_grid_center(&grid, cell, xy);
    assert_near(xy[0], 2.025, 1e-12);
    assert_near(xy[1], 1.525, 1e-12);
    assert_int_equal(st_floor_grid_at(&grid, -0.01, 1), -1);
    assert_int_equal(st_floor_grid_at(&grid, NAN, 1), -1);
}

/* A block from wall to wall cuts the room in two; a gap of 0.5 m joins it again, one of 0.35 m is
 * too narrow for the robot. */
static void blocks_part_the_room(void **state)
{
    st_arena *arena = *state;
    static const struct {
        double top_m;
        size_t regions;
    } cases[] = {{3.0, 2}, {2.65, 2}, {2.5, 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        scan s = {.n = 0};
        must(ST_ALLOC(arena, &s.p, 200000));
        make_room(&s, (double[4]){1.8, 0, 2.2, cases[i].top_m});
        const st_floor_grid grid = grid_of(arena, &s);
        assert_int_equal(grid.region_count, cases[i].regions);
        const int64_t left = st_floor_grid_at(&grid, 1, 1), right = st_floor_grid_at(&grid, 3, 1);
        assert_int_equal(grid.region[left] == grid.region[right], cases[i].regions == 1);
        assert_true(grid.cells[st_floor_grid_at(&grid, 2, 1)] & ST_CELL_OBSTACLE);
        assert_int_equal(grid.region[st_floor_grid_at(&grid, 2, 1)], -1);
    }
}

/* Free cells are the floor cells without an obstacle within the robot's radius, by the definition,
 * in regions of at least 1.5 m2 whose cells touch. */
static void free_is_what_the_rules_say(void **state)
{
    st_arena *arena = *state;
    st_rng rng = st_rng_from(101);
    for (int round = 0; round < 2; round++) {
        scan s = {.n = 0};
        must(ST_ALLOC(arena, &s.p, 200000));
        make_room(&s, NULL);
        for (int i = 0; i < 30; i++)            /* posts, shelves under the ceiling, carpets */
            add_point(&s, st_rng_between(&rng, 0, 4), st_rng_between(&rng, 0, 3),
                      st_rng_between(&rng, 0, 2.2));
        const st_floor_grid grid = grid_of(arena, &s);
        for (int64_t c = 0; c < grid.columns * grid.rows; c++) {
            double xy[2];
            bool fits = true, crowded = false;
            st_floor_grid_center(&grid, c, xy);
            for (int64_t o = 0; o < grid.columns * grid.rows && fits; o++) {
                double at[2];
                st_floor_grid_center(&grid, o, at);
                if (hypot(at[0] - xy[0], at[1] - xy[1]) <= 0.2 + 1e-9)
                    fits = grid.cells[o] & ST_CELL_FLOOR && !(grid.cells[o] & ST_CELL_OBSTACLE);
            }
            fits = fits && xy[0] > 0.2 && xy[0] < 3.8 && xy[1] > 0.2 && xy[1] < 2.8;
            crowded = fits && !(grid.cells[c] & ST_CELL_FREE);
            assert_false(grid.cells[c] & ST_CELL_FREE && !fits);
            assert_int_equal((grid.cells[c] & ST_CELL_FREE) != 0, grid.region[c] >= 0);
            if (crowded)                        /* it lies in a region given up as too small */
                assert_true(count_bit(&grid, ST_CELL_FREE) < 72 * 52);
        }
    }
}

static void nothing_gives_an_empty_grid(void **state)
{
    st_floor_grid grid;
    must(st_floor_grid_build(&grid, *state, NULL, 0, NULL, 0, 0.0));
    assert_int_equal(grid.columns * grid.rows + (int)grid.region_count, 0);
    assert_int_equal(st_floor_grid_at(&grid, 0, 0), -1);
    double far[3][2] = {{0, 0}, {9e4, 0}, {0, 9e4}};
    const st_ring ring = {far, 3};
    must_fail(st_floor_grid_build(&grid, *state, &ring, 1, NULL, 0, 0.0), ST_ERR_LIMIT,
              "a floor of 1800001 x 1800001 cells, at most 100000000 in all");
}

static void floors_have_heights(void **state)
{
    st_arena *arena = *state;
    st_rng rng = st_rng_from(102);
    scan s = {.n = 0};
    double z;
    must(ST_ALLOC(arena, &s.p, 10000));
    add_point(&s, 0, 0, -3.7);                                  /* a reflection */
    for (int i = 0; i < 1000; i++)
        add_point(&s, 0, 0, st_rng_between(&rng, 0.1, 2.4));    /* walls */
    for (int i = 0; i < 500; i++)
        add_point(&s, 0, 0, 0.02 * st_rng_unit(&rng) - 0.01);   /* the floor, on a bin's border */
    for (int i = 0; i < 800; i++)
        add_point(&s, 0, 0, 0.75);                              /* a large table */
    must(st_floor_height(&z, arena, (const double (*)[3])s.p, s.n, NULL));
    assert_near(z, 0.0, 0.005);
    uint8_t *label;
    must(ST_ALLOC(arena, &label, s.n));
    label[0] = 1;
    must(st_floor_height(&z, arena, (const double (*)[3])s.p, s.n, label));
    assert_near(z, -3.7, 1e-12);
    must(st_floor_height(&z, arena, (const double (*)[3])s.p, 1, NULL));
    assert_near(z, -3.7, 1e-12);
    must_fail(st_floor_height(&z, arena, (const double[1][3]){{0, 0, NAN}}, 1, NULL),
              ST_ERR_NUMERIC, "the height of point 0 is nan");
}

static void floor_and_feet_are_united(void **state)
{
    st_arena *arena = *state;
    scan s = {.n = 0};
    double area;
    must(ST_ALLOC(arena, &s.p, 200000));
    make_room(&s, (double[4]){3, 0, 4, 3});                     /* the right meter is a sofa */
    must(st_floor_area(&area, arena, (const double (*)[3])s.p, s.n, 0.0, NULL, 0));
    assert_near(area, 9, 0.15);
    const st_obb sofa = {.center_m = {3.5, 1.5, 0.35},
                         .axis = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
                         .half_m = {0.55, 1.5, 0.35}};
    must(st_floor_area(&area, arena, (const double (*)[3])s.p, s.n, 0.0, &sofa, 1));
    assert_near(area, 12, 0.2);
    must(st_floor_area(&area, arena, NULL, 0, 0.0, &sofa, 1));
    assert_near(area, 3.3, 0.01);
    must(st_floor_area(&area, arena, NULL, 0, 0.0, NULL, 0));
    assert_true(area == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_room_is_free_but_for_its_rim),
        cmocka_unit_test(blocks_part_the_room),
        cmocka_unit_test(free_is_what_the_rules_say),
        cmocka_unit_test(nothing_gives_an_empty_grid),
        cmocka_unit_test(floors_have_heights),
        cmocka_unit_test(floor_and_feet_are_united),
    };
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
