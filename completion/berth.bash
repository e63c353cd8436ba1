# SPDX-License-Identifier: Apache-2.0
# Completion of berth, berthd and berth-sandbox for bash: source it, or put it into
# /usr/share/bash-completion/completions as berth, with links berthd and berth-sandbox to it.
# It needs nothing but bash 4. tests/lint/test_completion.py compares it with the programs' --help.

# The options of each command: "-x,--long"; with "=" they take an argument, with "[=]" they may.
declare -gA _berth_options=(
    [berth]='-c,--config= -?,--help --usage -V,--version'
    [berth-send]='-c,--config= -?,--help --usage -V,--version -r,--registry= -s,--space=
        -w,--workspace= --none --public --private --quota= --adopt --unbind -a,--actor= --id=
        -W,--wait[=] -j,--json -b,--batch= -k,--key= --topic= --raw= --no-check'
    [berth-tail]='-c,--config= -?,--help --usage -V,--version -b,--from-beginning -e,--until-end
        -n,--last= --limit= -j,--json'
    [berth-bindings]='-c,--config= -?,--help --usage -V,--version -r,--registry= -s,--space=
        -w,--workspace= --public -n,--limit= -j,--json'
    [berth-topics]='-c,--config= -?,--help --usage -V,--version -C,--create -p,--partitions=
        -R,--replication-factor= -j,--json'
    [berth-offsets]='-c,--config= -?,--help --usage -V,--version -p,--partition= -f,--from= -y,--yes
        -j,--json'
    [berth-check]='-c,--config= -?,--help --usage -V,--version -t,--transaction -j,--json'
    [berth-pull-secret]='-c,--config= -?,--help --usage -V,--version -w,--workspace=
        -r,--registry= -s,--space= -o,--output= -j,--json --name= --namespace= --key-file=
        --no-verify'
    [berth-workspace-key]='-c,--config= -?,--help --usage -V,--version -w,--workspace= -j,--json'
    [berthd]='-c,--config= -t,--test -?,--help --usage -V,--version'
    [berth-sandbox]='-r,--registry= -a,--admin-port= -u,--user= -U,--plain-user= -p,--password-file=
        --base-path= --harbor-version= --tls-cert= --tls-key= --tls-client-ca=
        -k,--kafka -t,--topic= -f,--ready-file= -?,--help --usage -V,--version'
)

# What a command's words may be, besides options.
declare -gA _berth_words=(
    [berth]='send tail bindings topics check offsets pull-secret workspace-key'
    [berth-send]='create-space update-space delete-space bind-workspace unbind-workspace
        set-workspace-bindings'
    [berth-tail]='results audit spaces dlq'
)

# Splits at blanks, whatever nullglob and failglob are set to: -? is no pattern. Sets REPLY.
_berth_split() {
    IFS=$' \t\n' read -r -d '' -a REPLY <<<"$1"
}

# The long name of an option, with its "=" or "[=]" if it has one: _berth_find KEY OPTION.
_berth_find() {
    local -a REPLY
    local entry long
    _berth_split "${_berth_options[$1]-}"
    for entry in "${REPLY[@]}"; do
        long=${entry#*,}
        if [[ $2 == "${entry%%,*}" || $2 == "${long%%[=[]*}" ]]; then
            printf '%s\n' "$long"
            return
        fi
    done
}

# The registries of the configuration that the command line names.
_berth_registries() {
    local file=${BERTH_CONFIG:-/etc/berth/berth.conf} i
    for ((i = 1; i < ${#COMP_WORDS[@]}; i++)); do
        case ${COMP_WORDS[i]} in
            -c | --config)
                [[ ${COMP_WORDS[i + 1]-} != = ]] || ((i++))
                file=${COMP_WORDS[i + 1]-}
                ;;
            --config=*) file=${COMP_WORDS[i]#*=} ;;
        esac
    done
    # As it is written on the command line, "~/berth.conf" is none that can be opened.
    sed -n 's/^\[registry  *\([a-z0-9-]*\) *\].*/\1/p' "${file/#~\//$HOME/}" 2>/dev/null
}

# Offers the words that begin with what is there: _berth_offer CUR PREFIX WORD...
_berth_offer() {
    local cur=$1 prefix=$2 word
    shift 2
    for word; do
        [[ $word != "$cur"* ]] || COMPREPLY+=("$prefix$word")
    done
}

_berth_value() {
    local -a REPLY
    local key=$1 option=$2 cur=$3 prefix=$4
    case $key:${option%%[=[]*} in
        *:--config | *:--batch | *:--raw | *:--key-file | *:--password-file | *:--ready-file | \
            *:--tls-cert | *:--tls-key | *:--tls-client-ca)
            local files
            mapfile -t files < <(compgen -f -- "$cur")
            compopt -o filenames 2>/dev/null
            _berth_offer "$cur" "$prefix" "${files[@]}"
            ;;
        berth-sandbox:*) ;;
        *:--registry)
            _berth_split "$(_berth_registries)"
            _berth_offer "$cur" "$prefix" "${REPLY[@]}"
            ;;
        *:--output) _berth_offer "$cur" "$prefix" k8s dockerconfigjson user-password json ;;
        berth-offsets:--from) _berth_offer "$cur" "$prefix" start base ;;
        *:--quota) _berth_offer "$cur" "$prefix" unlimited ;;
    esac
}

# What the words before the current one say: sets key (whose options count) and word (what the
# command was given already).
_berth_look_back() {
    local i option
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -*)
                option=$(_berth_find "$key" "${COMP_WORDS[i]}")
                if [[ ${COMP_WORDS[i + 1]-} == = ]]; then
                    ((i += 2))
                elif [[ $option == *[^[]= ]]; then
                    ((i++))
                fi
                ;;
            *)
                if [[ $key == berth ]]; then
                    key=berth-${COMP_WORDS[i]}
                else
                    word=${COMP_WORDS[i]}
                fi
                ;;
        esac
    done
}

_berth() {
    local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} prefix='' option entry
    local key=${1##*/} word=''
    local -a REPLY
    COMPREPLY=()
    # "--option=value" is one word or three, as COMP_WORDBREAKS has it.
    local glued=''
    if [[ $cur == = ]]; then
        cur='' glued=yes
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]} glued=yes
    elif [[ $cur == --*=* ]]; then
        before=${cur%%=*} prefix=$before= cur=${cur#*=} glued=yes
    fi
    _berth_look_back
    option=$(_berth_find "$key" "$before")
    if [[ $glued || $option == *[^[]= ]]; then
        _berth_value "$key" "$option" "$cur" "$prefix"
        return
    fi
    if [[ $cur != -* && -z $word && -n ${_berth_words[$key]-} ]]; then
        _berth_split "${_berth_words[$key]}"
        _berth_offer "$cur" '' "${REPLY[@]}"
        return
    fi
    _berth_split "${_berth_options[$key]-}"
    for entry in "${REPLY[@]}"; do
        [[ $cur != - || $entry != *,* ]] || COMPREPLY+=("${entry%%,*}")
        option=${entry#*,}
        _berth_offer "$cur" '' "${option%'[=]'}"
    done
    # The argument is typed behind the "=".
    [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
}

complete -F _berth berth berthd berth-sandbox
