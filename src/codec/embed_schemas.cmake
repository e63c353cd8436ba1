# SPDX-License-Identifier: Apache-2.0
# Run with cmake -P: writes OUTPUT, a C file that holds the schemas NAMES (a list) of FOLDER as
# bytes. Arrays instead of string literals, which compilers need not take beyond 4,095 bytes.
set(text "/* Made from the files of schemas by embed_schemas.cmake. */\n")
string(APPEND text "#include \"shipped_schemas.h\"\n\n")
set(table "")
foreach(name IN LISTS NAMES)
  file(READ "${FOLDER}/${name}.avsc" bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND text "static const unsigned char ${name}[] = {\n${bytes}\n};\n\n")
  string(APPEND table "    {\"${name}\", ${name}, sizeof ${name}},\n")
endforeach()
string(APPEND text
  "const struct berth_shipped_schema berth_shipped_schemas[BERTH_SHIPPED_SCHEMAS] = {\n${table}};\n")
file(WRITE "${OUTPUT}" "${text}")
