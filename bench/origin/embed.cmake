# Writes the bytes of INPUT as a C array, facts_tsv, into OUTPUT.
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE
    "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
    "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT}
    "/* Made from sp500.tsv by embed.cmake. */\n"
    "#include \"facts.h\"\n"
    "const unsigned char facts_tsv[] = {\n${bytes}0};\n"
    "const unsigned long facts_tsv_bytes = sizeof facts_tsv - 1;\n")
