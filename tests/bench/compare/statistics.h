// What is said about many repetitions of one measurement.
#pragma once

#include <vector>

namespace halfwave::compare {

double Median(std::vector<double> values);

// A median and the interval that holds the true one with 95 % confidence, whatever the distribution: two order
// statistics, by the binomial law of how many values fall below the median. Of fewer than 6 values, smallest and
// largest, which is less than 95 %.
struct Estimate {
  double median = 0, low = 0, high = 0;
};
Estimate EstimateMedian(std::vector<double> values);

}  // namespace halfwave::compare
