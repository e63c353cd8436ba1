# SPDX-License-Identifier: Apache-2.0
# Writes a C file with a text file's content in it, as a NUL-terminated array. HEAD: text files
# that come before it, by commas.
#   cmake -D NAME=berth_script_claim -D IN=claim.lua -D OUT=claim.c [-D HEAD=call.lua,guard.lua]
#         -P embed_text.cmake
set(bytes "")
string(REPLACE "," ";" files "${HEAD}")
foreach(file IN LISTS files IN)
  file(READ "${file}" hex HEX)
  string(APPEND bytes "${hex}")
endforeach()
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
# A line for each 16 bytes, so that no tool chokes on one long line.
string(REGEX REPLACE "(................................................................................)"
       "    \\1\n" bytes "${bytes}")
file(WRITE "${OUT}" "/* Made from ${IN}. */\nextern const char ${NAME}[];\n"
     "const char ${NAME}[] = {\n${bytes}    0x00};\n")
