// Prints the chromosome candidates of a binary PGM picture of 8 bit, one a line:
// top left height width area euler level height_above variance.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>

#include "karyofast.hpp"

static std::vector<uint8_t> read_pgm(const std::string &path, int32_t &height, int32_t &width) {
    std::ifstream file(path, std::ios::binary);
    std::string magic, word;
    int32_t numbers[3], have = 0;
    file >> magic;
    while (have < 3 && file >> word)
        if (word[0] == '#')
            std::getline(file, word);
        else
            numbers[have++] = std::stoi(word);
    if (magic != "P5" || have < 3 || numbers[0] < 1 || numbers[1] < 1 || numbers[2] != 255)
        throw std::runtime_error(path + " is no binary PGM picture of 8 bit. Convert it first.");
    width = numbers[0], height = numbers[1];
    file.get();
    std::vector<uint8_t> pixels(static_cast<size_t>(height) * static_cast<size_t>(width));
    if (!file.read(reinterpret_cast<char *>(pixels.data()), static_cast<std::streamsize>(pixels.size())))
        throw std::runtime_error(path + " ends before its last pixel.");
    return pixels;
}

int main(int count, char **words) try {
    if (count < 2 || count > 3 || (count == 3 && std::string(words[2]) != "dark")) {
        std::cerr << "usage: candidates PICTURE.pgm [dark]    dark: a dark field (quinacrine, DAPI)\n";
        return 2;
    }
    int32_t height, width;
    const std::vector<uint8_t> pixels = read_pgm(words[1], height, width);
    const kf_view view = {pixels.data(), height, width, width};
    for (const kf_candidate &one :
         karyofast::candidates(view, count == 3 ? KF_DARK : KF_BRIGHT, kf_default_options(height, width)))
        std::printf("%d %d %d %d %d %d %d %.17g %.17g\n", one.top, one.left, one.height, one.width, one.area, one.euler,
                    one.level, one.height_above, one.variance);
    return 0;
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
