// karyofast.h for C++: vectors and exceptions instead of pointers and error numbers.
#ifndef KARYOFAST_HPP
#define KARYOFAST_HPP

#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

#include "karyofast.h"

namespace karyofast {

inline void check(int64_t result) {
    if (result == KF_NO_MEMORY) throw std::bad_alloc();
    if (result < 0) throw std::invalid_argument("karyofast: an argument is not allowed; see karyofast.h");
}

// The extremal regions of a picture; freed with the object.
class RegionTable {
  public:
    RegionTable(const kf_view &view, int connectivity = 8, int max_level = 255, int32_t min_area = 1) {
        check(kf_extremal_regions(&view, connectivity, max_level, min_area, &table_));
    }
    ~RegionTable() { kf_free_regions(&table_); }
    RegionTable(const RegionTable &) = delete;
    RegionTable &operator=(const RegionTable &) = delete;
    const kf_region_table *operator->() const { return &table_; }

  private:
    kf_region_table table_{};
};

inline std::vector<double> two_class_variance(const kf_view &view, const std::vector<int32_t> &boxes) {
    std::vector<double> out(boxes.size() / 4);
    check(kf_two_class_variance(&view, boxes.data(), static_cast<int64_t>(out.size()), out.data()));
    return out;
}

inline std::vector<double> edge_distance(const kf_view &edges) {
    std::vector<double> out(static_cast<size_t>(edges.height) * static_cast<size_t>(edges.width));
    check(kf_edge_distance(&edges, out.data()));
    return out;
}

inline std::vector<kf_candidate> candidates(const kf_view &view, kf_field field, const kf_options &options) {
    kf_candidate *found = nullptr;
    const int64_t count = kf_candidates(&view, field, &options, &found);
    check(count);
    const std::unique_ptr<kf_candidate, void (*)(void *)> owner(found, std::free);
    return std::vector<kf_candidate>(found, found + count);
}

}  // namespace karyofast

#endif
