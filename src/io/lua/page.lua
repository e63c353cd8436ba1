-- SPDX-License-Identifier: Apache-2.0
-- PAGE (design 6): one page of a list of spaces, in the byte order of their names. Writes nothing.
--
-- KEYS  1 epoch, then the sets of each stretch
-- ARGV  1 the most spaces, 2 the most bindings of all of them together, 3 prefix of the spaces'
--       hashes, 4 how many sets a stretch has
--       5 ... for each stretch where it begins and ends, as ZRANGEBYLEX takes it
-- A stretch is the union of its sets between two bounds; each begins after the one before has ended.
-- The hashes are named by the members of the sets, and so are not among KEYS.
--
-- Replies
--   rebuilding   the data set has no epoch
--   page, more, name, fields, name, fields, ...   more: 1 if at least one space follows; fields: the
--                space's fields and values, one a line
--
-- A space whose hash doesn't say "present" is passed over.

local limit, bindings_max = tonumber(ARGV[1]), tonumber(ARGV[2])
local spaces, sets = ARGV[3], tonumber(ARGV[4])
local STRETCHES = 5

if call('EXISTS', KEYS[1]) == 0 then
    return {'rebuilding'}
end

-- One more than a page tells whether there is more; it takes another batch only when names are
-- passed over, or are in both sets.
local BATCH = limit + 1

-- The first name of a set that was not taken yet, or nil.
local function head(list)
    if list.at > #list.names and not list.ended then
        list.names = call('ZRANGEBYLEX', list.set, list.from, list.to, 'LIMIT', 0, BATCH)
        list.at = 1
        list.ended = #list.names < BATCH
        if not list.ended then
            list.from = '(' .. list.names[BATCH]
        end
    end
    return list.names[list.at]
end

-- Lua compares strings as the server's locale does (LC_COLLATE); the sets are in byte order.
local function precedes(a, b)
    for i = 1, math.min(#a, #b) do
        local x, y = string.byte(a, i), string.byte(b, i)
        if x ~= y then
            return x < y
        end
    end
    return #a < #b
end

-- Takes the next name of all lists, or nil.
local function take(lists)
    local first
    for _, list in ipairs(lists) do
        local name = head(list)
        if name and (not first or precedes(name, first)) then
            first = name
        end
    end
    for _, list in ipairs(lists) do
        if first and head(list) == first then
            list.at = list.at + 1
        end
    end
    return first
end

local page, count, bindings = {'page', 0}, 0, 0

-- False: the page is full, and there is more.
local function add(name)
    local fields = call('HGETALL', spaces .. name)
    local present, bound = false, 0
    for i = 1, #fields, 2 do
        local field = fields[i]
        if field == 'state' then
            present = fields[i + 1] == 'present'
        elseif string.find(field, 'binding:', 1, true) == 1 then
            bound = bound + 1
        end
    end
    if not present then
        return true
    end
    if count == limit or (count > 0 and bindings + bound > bindings_max) then
        return false
    end
    page[#page + 1] = name
    page[#page + 1] = table.concat(fields, '\n')
    count, bindings = count + 1, bindings + bound
    return true
end

for stretch = 0, (#ARGV - STRETCHES + 1) / 2 - 1 do
    local lists = {}
    for i = 1, sets do
        lists[i] = {set = KEYS[1 + stretch * sets + i], names = {}, at = 1,
            from = ARGV[STRETCHES + 2 * stretch], to = ARGV[STRETCHES + 2 * stretch + 1]}
    end
    local name = take(lists)
    while name do
        if not add(name) then
            page[2] = 1
            return page
        end
        name = take(lists)
    end
end
return page
