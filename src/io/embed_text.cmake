# SPDX-License-Identifier: Apache-2.0
# Writes a C file with a text file's content in it, as a NUL-terminated array. HEADS: text files that
# come before it, with ":" between them.
#   cmake -D NAME=berth_script_claim -D IN=claim.lua -D OUT=claim.c [-D HEADS=call.lua:guard.lua]
#         -P embed_text.cmake
set(bytes "")
string(REPLACE ":" ";" heads "${HEADS}")
foreach(file IN LISTS heads IN)
  file(READ "${file}" hex HEX)
  string(APPEND bytes "${hex}")
endforeach()
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
# A line for each 16 bytes, so that no tool chokes on one long line.
string(REGEX REPLACE "(................................................................................)"
       "    \\1\n" bytes "${bytes}")
file(WRITE "${OUT}" "/* Made from ${IN}. */\nextern const char ${NAME}[];\n"
     "const char ${NAME}[] = {\n${bytes}    0x00};\n")
