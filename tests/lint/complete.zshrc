# SPDX-License-Identifier: Apache-2.0
# What Tab offers in zsh, at a real prompt: for each line of $BERTH_LINES, "> " and the line go to
# $BERTH_FOUND, then one line for each word that is offered.
PS1=
fpath=($BERTH_COMPLETION $fpath)
autoload -Uz compinit && compinit -u -D

# Every completion ends in compadd: here it tells what matches before it does its work. With -A, -D
# or -O it only fills arrays.
compadd() {
    local word
    local -a offered
    for word in "$@"; do
        [[ $word != (-|--) ]] || break
        if [[ $word == -[ADO]* ]]; then
            builtin compadd "$@"
            return
        fi
    done
    builtin compadd -O offered "$@"
    (( ! $#offered )) || print -rl -- $offered >>$BERTH_FOUND
    builtin compadd "$@"
}

zle-line-init() {
    local line
    for line in "${(@f)$(<$BERTH_LINES)}"; do
        print -r -- "> $line" >>$BERTH_FOUND
        BUFFER=$line CURSOR=$#line
        zle list-choices
    done
    exit 0
}
zle -N zle-line-init
