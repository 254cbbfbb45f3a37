/* Any bytes as a label table: refused with a sentence, or every label gets a verdict. */
#include "datagen/scans/labels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const labels[] = {"chair", "doors", "Desk ", "", "trash can", "zebras"};
    st_label_table          *table;
    if (st_label_table_parse(&table, (st_str){(const char *)data, size}).code != ST_OK)
        return 0;
    ST_ASSERT(st_label_table_rows(table) > 0);
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        for (int vocabulary = ST_VOCABULARY_MIXED; vocabulary <= ST_VOCABULARY_VSI; vocabulary++) {
            const st_label_verdict v = st_label_of_scannet(table, st_str_from(labels[i]),
                                                           (st_vocabulary)vocabulary);
            ST_ASSERT((v.label == NULL) == (v.reason != NULL));
            ST_ASSERT(v.nyu40 >= 0 && v.nyu40 <= 40);
        }
    st_label_table_free(table);
    return 0;
}
