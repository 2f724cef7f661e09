/* SPDX-License-Identifier: Apache-2.0 */
/* The rival of bench_metric_json: simdjson's on-demand parser over the same body. */
#include <cstddef>
#include <cstdint>
#include <simdjson.h>
#include <xxhash.h>

extern "C" uint64_t bench_simdjson(const char *body, size_t len, size_t capacity,
                                   size_t *objects_out);

/* body must have SIMDJSON_PADDING bytes behind len; capacity counts them. */
extern "C" uint64_t bench_simdjson(const char *body, size_t len, size_t capacity,
                                   size_t *objects_out)
{
    static simdjson::ondemand::parser parser;
    uint64_t sum = 0;
    size_t n = 0;
    auto doc = parser.iterate(simdjson::padded_string_view(body, len, capacity));

    for (simdjson::ondemand::object metric : doc.get_array()) {
        uint64_t h = 0;
        for (auto field : metric) {
            simdjson::ondemand::raw_json_string key = field.key();
            if (key == "name") {
                std::string_view s = field.value().get_string();
                h = XXH3_64bits(s.data(), s.size());
            } else if (key == "dimensions") {
                for (auto dim : field.value().get_object()) {
                    std::string_view k = dim.unescaped_key();
                    h = XXH3_64bits_withSeed(k.data(), k.size(), h);
                    std::string_view v = dim.value().get_string();
                    h = XXH3_64bits_withSeed(v.data(), v.size(), h);
                }
            } else if (key == "timestamp") {
                sum += static_cast<uint64_t>(field.value().get_int64());
            } else if (key == "value") {
                sum += static_cast<uint64_t>(field.value().get_double());
            }
        }
        sum += h;
        n++;
    }
    *objects_out = n;
    return sum;
}
