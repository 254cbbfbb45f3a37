/* Plans show every shape and name, escape what XML keeps for itself, and refuse nonsense. */
#include "check.h"

#include "render/plan.h"

static const double floor_m[][2] = {{0, 0}, {5, 0}, {5, 4}, {0, 4}};
static const double hole_m[][2] = {{2, 2}, {2, 2.5}, {2.5, 2.5}, {2.5, 2}};
static const double table_m[][2] = {{1, 1}, {2.2, 1}, {2.2, 1.8}, {1, 1.8}};
static const double wall_m[][2] = {{3, 0}, {3.1, 0}, {3.1, 4}, {3, 4}};
static const double way_m[][2] = {{0.5, 0.5}, {3, 0.5}, {3, 3}};

static const st_plan_shape shapes[] = {
    {.kind = ST_PLAN_FLOOR, .xy_m = floor_m, .count = COUNT(floor_m)},
    {.kind = ST_PLAN_FLOOR, .xy_m = hole_m, .count = COUNT(hole_m)},
    {.kind = ST_PLAN_WALL, .xy_m = wall_m, .count = COUNT(wall_m), .name = "never printed"},
    {.kind = ST_PLAN_OBJECT, .xy_m = table_m, .count = COUNT(table_m), 
     .name = "table <&> \"x\"", .top_m = 0.7},
    {.kind = ST_PLAN_OBJECT, .xy_m = table_m, .count = COUNT(table_m), .name = "book", .top_m = 0.8,
     .uncertain = true},
    {.kind = ST_PLAN_PATH, .xy_m = way_m, .count = COUNT(way_m)},
};
static const st_plan plan = {.title = "scene9000_00", .subtitle = "20.0 m2",
                             .shapes = shapes, .shape_count = COUNT(shapes)};

static void every_name_is_on_the_page(void **state)
{
    (void)state;
    st_text svg, again;
    st_text_init(&svg);
    st_text_init(&again);
    must(st_plan_svg(&svg, &plan, 800));
    assert_non_null(strstr(svg.data, ">scene9000_00<"));
    assert_non_null(strstr(svg.data, ">table &lt;&amp;&gt; &quot;x&quot;<"));
    assert_non_null(strstr(svg.data, ">book<"));
    assert_null(strstr(svg.data, "never printed"));
    assert_non_null(strstr(svg.data, "stroke-dasharray"));
    assert_non_null(strstr(svg.data, ">1 m<"));
    must(st_plan_svg(&again, &plan, 800));
    assert_string_equal(svg.data, again.data);
    st_text_free(&svg);
    st_text_free(&again);
}

static void the_png_is_a_png(void **state)
{
    (void)state;
    st_text png;
    st_text_init(&png);
    const st_status s = st_plan_png(&png, &plan, 800);
    if (s.code != ST_ERR_UNSUPPORTED) {         /* a build without cairo says so */
        must(s);
        assert_memory_equal(png.data, "\x89PNG\r\n\x1a\n", 8);
    }
    st_text_free(&png);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    st_text out;
    st_text_init(&out);
    const double far[][2] = {{0, 0}, {1e9, 0}};
    const st_plan_shape bad = {.kind = ST_PLAN_OBJECT, .xy_m = far, .count = 2};
    must_fail(st_plan_svg(&out, &(st_plan){.shapes = &bad, .shape_count = 1}, 800), ST_ERR_DATA,
              "shape 0, point 1: expected a coordinate within 100000 m, found 1e+09");
    must_fail(st_plan_svg(&out, &(st_plan){0}, 800), ST_ERR_DATA,
              "a plan needs at least one shape");
    must_fail(st_plan_svg(&out, &plan, 10), ST_ERR_USAGE,
              "a plan is 200 to 8000 pixels wide, not 10");
    assert_int_equal(out.size, 0);
    st_text_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_on_the_page),
        cmocka_unit_test(the_png_is_a_png),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
