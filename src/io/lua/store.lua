-- SPDX-License-Identifier: Apache-2.0
-- STORE (design 4.6): the outcome of a command, what its space has become, and the indexes, at once.
--
-- KEYS  1 space hash, 2 command hash, 3 set of the registry's spaces, 4 set of its public spaces,
--       5 sequence
-- ARGV  1 instance, 2 incarnation, 3 command id, 4 token
--       5 digest, 6 source, 7 kind (SUCCEEDED, REJECTED, FAILED), 8 result: the first part of the
--       publication
--       9 how long the outcome is kept, 10 how long a space that isn't present is (both ms)
--       11 what the space becomes: "present", "absent", "same" (as it was) or "cold" (the same, and
--       cold)
--       12 "1": free the lane, 13 "<registry>/<space>", 14 prefix of the sets of workspaces
--       15 rest: the other part of the publication, empty if there is none
--       16 ... fields and values of a present or absent space
-- The sets of workspaces are named by the bindings, and so are not among KEYS.
--
-- In this order, because a write may be refused half-way: the space becomes cold and gets its new bindings,
-- then the sets are written, then all of its hash, and last the command, whose `kind` says that all of it is
-- there. So the hash names every set that may have to be left, and whoever finds the space cold joins all
-- of its sets anew, be it the repetition or another command.
--
-- Replies
--   stored, sequence   now; without the sequence: by an earlier run of this call
--   already, same source, state current, publication, version   another outcome was stored first
--   held     another holds the lane, or has held it since
--   gone     the claim isn't known here (any more)

local space, command, registry, public, sequence = unpack(KEYS)
local instance, incarnation, id, token = unpack(ARGV, 1, 4)
local digest, source, kind, result = unpack(ARGV, 5, 8)
local memory, tombstone, becomes, free = ARGV[9], ARGV[10], ARGV[11], ARGV[12] == '1'
local member, workspaces, rest = ARGV[13], ARGV[14], ARGV[15]
local FIELDS = 16

local lane_instance, lane_incarnation, lane_id, lane_token, state, visibility, space_version,
    verified_at = unpack(call('HMGET', space, 'holder_instance', 'holder_incarnation',
        'holder_command', 'token', 'state', 'visibility', 'version', 'verified_at'))
local own = lane_id == id and lane_incarnation == incarnation and lane_instance == instance
local ours = own and lane_token == token

local function let_go()
    if ours and free then
        call('HDEL', space, 'holder_instance', 'holder_incarnation', 'holder_command',
            'renewals')
    end
end

-- `before` has done its work: the outcome says what it was. The budget has, too, and so has the number of
-- the claim, unless it may be claimed anew, for another record.
local function forget(becomes_kind)
    call('HDEL', command, 'before', 'burned', 'paused_ms')
    if becomes_kind ~= 'FAILED' then
        call('HDEL', command, 'claim')
    end
end

local known_digest, known_kind, known_source, known_version = unpack(
    call('HMGET', command, 'digest', 'kind', 'source', 'version'))

-- The same bytes are the same outcome: then this is a repetition whose first reply was lost. The
-- space may have gone on since, so nothing is written again. Of a settled outcome only the result is
-- left, and the version says the same as the rest did.
local same = same_source(known_source, source)
if known_kind and (known_kind ~= 'FAILED' or same) then
    local known, known_rest = unpack(call('HMGET', command, 'result', 'rest'))
    forget(known_kind)
    let_go()
    local same_rest = (known_rest or '') == rest or (not known_rest and known_version == token)
    if known == result and same_rest and same then
        return {'stored'}
    end
    return {'already', same and 1 or 0,
        space_version == known_version and 1 or 0, known .. (known_rest or ''), known_version}
end

if not ours then
    local taken_since = (tonumber(lane_token) or 0) > tonumber(token)
    if taken_since or (lane_id and not own) then
        return {'held'}
    end
    return {'gone'}
end
if known_digest ~= digest then
    return {'gone'}
end

-- The bindings that the space has now, by field name.
local function bindings()
    local bound = {}
    for _, field in ipairs(call('HKEYS', space)) do
        if string.sub(field, 1, 8) == 'binding:' then
            bound[field] = true
        end
    end
    return bound
end

local function set_of(field)
    return workspaces .. string.sub(field, 9)
end

-- The sets say what the hash says, as far as anybody knows.
local settled = state == 'present' and verified_at ~= '0'

-- Before anything that a set and the hash must agree on; with fields and values of new bindings.
local function unsettle(joins)
    if settled or #joins > 0 then
        call('HSET', space, 'verified_at', '0', unpack(joins))
    end
end

local function become_present()
    local bound, joins, now_visibility = bindings(), {}, false
    for i = FIELDS, #ARGV, 2 do
        local field = ARGV[i]
        if field == 'visibility' then
            now_visibility = ARGV[i + 1]
        elseif string.sub(field, 1, 8) == 'binding:' then
            if not (settled and bound[field]) then
                joins[#joins + 1] = field
                joins[#joins + 1] = ARGV[i + 1]
            end
            bound[field] = nil
        end
    end
    local is_public = now_visibility == 'PUBLIC'
    local turns = not settled or is_public ~= (visibility == 'PUBLIC')
    if turns or #joins > 0 or next(bound) then
        unsettle(joins)
    end
    for i = 1, #joins, 2 do
        call('ZADD', set_of(joins[i]), 0, member)
    end
    local unbound = {}
    for field in pairs(bound) do
        call('ZREM', set_of(field), member)
        unbound[#unbound + 1] = field
    end
    if not settled then
        call('ZADD', registry, 0, member)
    end
    if turns and is_public then
        call('ZADD', public, 0, member)
    elseif turns then
        call('ZREM', public, member)
    end
    if state ~= 'present' then
        call('PERSIST', space)
    end
    if #unbound > 0 then
        call('HDEL', space, unpack(unbound))
    end
    call('HSET', space, unpack(ARGV, FIELDS))
end

-- Leaves a tombstone: it says "absent", with a version, for a while.
local function become_absent()
    unsettle({})
    for field in pairs(bindings()) do
        call('ZREM', set_of(field), member)
    end
    call('ZREM', registry, member)
    call('ZREM', public, member)
    local stays = {token = true, renewals = true, holder_instance = true,
        holder_incarnation = true, holder_command = true}
    for i = FIELDS, #ARGV, 2 do
        stays[ARGV[i]] = true
    end
    local goes = {}
    for _, field in ipairs(call('HKEYS', space)) do
        if not stays[field] then
            goes[#goes + 1] = field
        end
    end
    call('HSET', space, unpack(ARGV, FIELDS))
    if #goes > 0 then
        call('HDEL', space, unpack(goes))
    end
    call('PEXPIRE', space, tombstone)
end

local function stay()
    if state and becomes == 'cold' then
        call('HSET', space, 'verified_at', '0')
    end
    if state ~= 'present' then
        call('PEXPIRE', space, tombstone)
    end
end

local raised = raise()
if becomes == 'present' then
    become_present()
elseif becomes == 'absent' then
    become_absent()
else
    stay()
end
call('PEXPIRE', command, memory)
local fields = {'source', source, 'kind', kind, 'version', token, 'result', result}
if rest ~= '' then
    fields[9], fields[10] = 'rest', rest
end
call('HSET', command, unpack(fields))
forget(kind)
let_go()
return {'stored', raised}
