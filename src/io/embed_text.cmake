# SPDX-License-Identifier: Apache-2.0
# Writes a C file with a text file's content in it, as a NUL-terminated array. HEAD, when given, is a
# text file that comes before it.
#   cmake -D NAME=berth_script_claim -D IN=claim.lua -D OUT=claim.c [-D HEAD=guard.lua]
#         -P embed_text.cmake
set(bytes "")
foreach(file IN ITEMS "${HEAD}" "${IN}")
  if(file)
    file(READ "${file}" hex HEX)
    string(APPEND bytes "${hex}")
  endif()
endforeach()
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
# A line for each 16 bytes, so that no tool chokes on one long line.
string(REGEX REPLACE "(................................................................................)"
       "    \\1\n" bytes "${bytes}")
file(WRITE "${OUT}" "/* Made from ${IN}. */\nextern const char ${NAME}[];\n"
     "const char ${NAME}[] = {\n${bytes}    0x00};\n")
