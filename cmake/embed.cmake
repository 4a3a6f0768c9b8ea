# Writes the bytes of FILES, by comma, as C arrays with their names into OUTPUT
# (master/dashboard/pages.h).
string(REPLACE "," ";" files "${FILES}")
set(arrays "")
set(table "")
set(n 0)
foreach(file IN LISTS files)
    file(READ ${file} bytes HEX)
    get_filename_component(name ${file} NAME)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(REGEX REPLACE
        "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
        "\\1\n" bytes "${bytes}")
    string(APPEND arrays
        "static const unsigned char page_${n}[] = {\n${bytes}0};\n")
    string(APPEND table
        "    {\"${name}\", page_${n}, sizeof page_${n} - 1},\n")
    math(EXPR n "${n} + 1")
endforeach()
file(WRITE ${OUTPUT}
    "/* Made by embed.cmake. */\n#include \"dashboard/pages.h\"\n${arrays}"
    "const struct page pages[] = {\n${table}};\n"
    "const size_t n_pages = ${n};\n")
