#include "dataplane/http/date.h"

#include <array>
#include <cstdint>

namespace slipway::http {
namespace {

constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct CivilDate {
  std::int64_t year = 1970;
  std::int64_t month = 1;
  std::int64_t day = 1;
};

// Days since 1970-01-01 of a proleptic Gregorian date. Years are counted from March, so that the
// leap day is the last of its year, in eras of 400 years (146,097 days).
constexpr std::int64_t DaysFromCivil(const CivilDate& date) noexcept {
  const std::int64_t year = date.month <= 2 ? date.year - 1 : date.year;
  const std::int64_t era = year / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t month = (date.month + 9) % 12;
  const std::int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
         719'468;
}

// The inverse. REQUIRES: days >= 0.
constexpr CivilDate CivilFromDays(std::int64_t days) noexcept {
  days += 719'468;
  const std::int64_t era = days / 146'097;
  const std::int64_t day_of_era = days - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month = (5 * day_of_year + 2) / 153;
  CivilDate date{.day = day_of_year - (153 * month + 2) / 5 + 1};
  date.month = month < 10 ? month + 3 : month - 9;
  date.year = year_of_era + era * 400 + (date.month <= 2 ? 1 : 0);
  return date;
}

static_assert(DaysFromCivil({2000, 2, 29}) == 11'016);
static_assert(CivilFromDays(11'016).day == 29);

void AppendNumber(DateText& text, std::int64_t value, int digits) noexcept {
  std::int64_t scale = 1;
  for (int i = 1; i < digits; ++i) {
    scale *= 10;
  }
  for (; scale > 0; scale /= 10) {
    (void)text.push_back(static_cast<char>('0' + value / scale % 10));
  }
}

// -1 unless all characters are digits.
std::int64_t Digits(std::string_view text) noexcept {
  std::int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return -1;
    }
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

DateText FormatDate(WallTime time) noexcept {
  const std::int64_t seconds = time.ns < 0 ? 0 : time.ns / kNanosPerSecond;
  const std::int64_t days = seconds / kSecondsPerDay;
  const std::int64_t second_of_day = seconds % kSecondsPerDay;
  const CivilDate date = CivilFromDays(days);
  DateText text;
  (void)text.Append(kDays.substr(static_cast<std::size_t>((days + 4) % 7) * 3, 3));
  (void)text.Append(", ");
  AppendNumber(text, date.day, 2);
  (void)text.push_back(' ');
  (void)text.Append(kMonths.substr(static_cast<std::size_t>(date.month - 1) * 3, 3));
  (void)text.push_back(' ');
  AppendNumber(text, date.year, 4);
  (void)text.push_back(' ');
  AppendNumber(text, second_of_day / 3600, 2);
  (void)text.push_back(':');
  AppendNumber(text, second_of_day / 60 % 60, 2);
  (void)text.push_back(':');
  AppendNumber(text, second_of_day % 60, 2);
  (void)text.Append(" GMT");
  return text;
}

std::optional<WallTime> ParseDate(std::string_view text) noexcept {
  //  0         1         2
  //  01234567890123456789012345678
  //  Sun, 06 Nov 1994 08:49:37 GMT
  if (text.size() != 29 || text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' ||
      text[16] != ' ' || text[19] != ':' || text[22] != ':' || text.substr(25) != " GMT") {
    return std::nullopt;
  }
  const std::size_t month = kMonths.find(text.substr(8, 3));
  const std::int64_t day = Digits(text.substr(5, 2));
  const std::int64_t year = Digits(text.substr(12, 4));
  const std::int64_t hour = Digits(text.substr(17, 2));
  const std::int64_t minute = Digits(text.substr(20, 2));
  const std::int64_t second = Digits(text.substr(23, 2));
  if (month == std::string_view::npos || month % 3 != 0 || day < 1 || day > 31 || year < 1970 ||
      year > 2262 - 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 60) {
    return std::nullopt;
  }
  const std::int64_t days =
      DaysFromCivil({.year = year, .month = static_cast<std::int64_t>(month / 3) + 1, .day = day});
  const std::int64_t seconds = days * kSecondsPerDay + hour * 3600 + minute * 60 + second;
  return WallTime{seconds * kNanosPerSecond};
}

}  // namespace slipway::http
