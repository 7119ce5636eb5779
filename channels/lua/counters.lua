-- What windows.lua and windows_back.lua have in common: how Redis keeps counters.
-- KEYS: since when Redis remembers, and what all owners' names begin with.
--
-- All counters of an owner are one value, a map by their names; each is a text: until when it is of use, then its lines
-- in the order of their instants, each an instant and its member. Instants are six bytes of milliseconds. One MGET for a
-- page and one SET for an owner take a third of the time of a sorted set for each counter.
local INSTANT, LINE, HEAD = 6, 17, 6

-- Redis takes whole numbers as text. A page asks for few different ones, again and again.
local texts = {}
local function whole(number)
  local text = texts[number]
  if not text then
    text = string.format('%.0f', number)
    texts[number] = text
  end
  return text
end

local stamps = {}
local function stamp(at)
  local text = stamps[at]
  if not text then
    text = struct.pack('>I6', at)
    stamps[at] = text
  end
  return text
end

local function instant(text, place)
  return (struct.unpack('>I6', text, place))
end

local function padded(member)
  return #member == LINE - INSTANT and member or string.format('%-11s', member)
end

-- Where in a counter a member's line begins.
local function place_of(text, member)
  local wanted, from = padded(member), HEAD + 1
  while true do
    local found = string.find(text, wanted, from, true)
    if not found then return nil end
    if (found - HEAD - INSTANT - 1) % LINE == 0 then return found - INSTANT end
    from = found + 1
  end
end

local function without(text, place)
  return string.sub(text, 1, place - 1) .. string.sub(text, place + LINE)
end

-- The values of these owners, in their order; Lua takes no more than some thousand arguments.
local function read(prefix, owners)
  local values = {}
  for first = 1, #owners, 1000 do
    local last, keys = math.min(first + 999, #owners), {}
    for at = first, last do keys[at - first + 1] = prefix .. owners[at] end
    for at, value in ipairs(redis.call('MGET', unpack(keys))) do
      values[first + at - 1] = value and cmsgpack.unpack(value) or {}
    end
  end
  return values
end
