// slipway_tidy ROOT FILE...: checks the files (paths relative to ROOT) and prints what is wrong as
// "file:line: what". Exit 1 if anything is.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/tidy/rules.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: slipway_tidy ROOT < list of files\n", stderr);
    return 2;
  }
  const std::string root = argv[1];
  std::vector<slipway::tidy::Problem> problems;
  std::size_t files = 0;
  std::string path;
  for (int c = std::getchar(); c != EOF; c = std::getchar()) {
    if (c != '\n') {
      path.push_back(static_cast<char>(c));
      continue;
    }
    std::ifstream file(root + "/" + path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    ++files;
    if (path.ends_with(".h") || path.ends_with(".cc")) {
      slipway::tidy::CheckSource(path, text, problems);
    }
    if (path.ends_with(".md")) {
      slipway::tidy::CheckMarkdown(root, path, text, problems);
    }
    slipway::tidy::CheckText(path, text, problems);
    path.clear();
  }
  for (const slipway::tidy::Problem& problem : problems) {
    std::fprintf(stderr, "%s:%zu: %s\n", problem.file.c_str(), problem.line, problem.text.c_str());
  }
  std::printf("%zu files, %zu problems\n", files, problems.size());
  return problems.empty() && files > 0 ? 0 : 1;
}
