# SPDX-License-Identifier: Apache-2.0
# What Tab offers in bash: the script to source, then for each line of standard input its words,
# divided by tabs, the last being the one that is completed. Answers with a line of words each.
source "$1"
while IFS= read -r line; do
    # Not by IFS: two tabs have an empty word between them.
    mapfile -d $'\t' -t COMP_WORDS < <(printf '%s\t' "$line")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    # As bash itself finds the function: by what was registered for the program.
    registered=$(complete -p "${COMP_WORDS[0]}") || exit 1
    COMPREPLY=()
    [[ $registered =~ -F\ ([^ ]+) ]] || exit 1
    "${BASH_REMATCH[1]}" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" \
        "${COMP_WORDS[COMP_CWORD - 1]}"
    (IFS=$'\t' && printf '%s\n' "${COMPREPLY[*]}")
done
