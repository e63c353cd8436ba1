-- SPDX-License-Identifier: Apache-2.0
-- SOURCE (design 4.3): the head of the scripts that compare records. A source is "<topic> <partition>
-- <offset>", and behind it the topic's id where that can be told: the record at the place of an old one
-- in a topic that was made anew is another record. Without an id on either side the place decides.
local function same_source(one, other)
    if not one or not other or one == other then
        return one == other
    end
    local place, id = string.match(one, '^(%S+ %S+ %S+) ?(%S*)$')
    local other_place, other_id = string.match(other, '^(%S+ %S+ %S+) ?(%S*)$')
    return place == other_place and (id == '' or other_id == '')
end

