-- The sums of channels/rules/windows.py for a page of wishes, in one step for all processes.
local call = cmsgpack.unpack(ARGV[1])
local now, margin = call.now, call.margin

local since = redis.call('GET', KEYS[1])
if not since or call.anew then
  since = whole(now)
  redis.call('SET', KEYS[1], since)
end
local prefix, began = KEYS[2] .. since .. ':', tonumber(since)

-- Every counter of the page: whose it is, and how long it remembers.
local owners, owner_of, spans, names, seen = {}, {}, {}, {}, {}
for _, wish in ipairs(call.wishes) do
  for _, counter in ipairs(wish[3]) do
    local name, windows, owner = counter[1], counter[2], counter[3]
    if not owner_of[name] then
      local longest = 0
      for _, window in ipairs(windows) do
        if window[2] > longest then longest = window[2] end
      end
      spans[name], owner_of[name] = longest, owner
      names[#names + 1] = name
      if not seen[owner] then
        seen[owner] = true
        owners[#owners + 1] = owner
      end
    end
  end
end
local kept = {}
for at, counters in ipairs(read(prefix, owners)) do kept[owners[at]] = counters end

local function text_of(name)
  return kept[owner_of[name]][name] or ''
end

-- With this member told at this instant: its line comes after all that are not later.
local function with(text, name, member, at)
  local place, latest = #text + 1, at
  if place > HEAD + 1 then
    local last = instant(text, place - LINE)
    if last > latest then latest = last end
    while place > HEAD + 1 and instant(text, place - LINE) > at do place = place - LINE end
  end
  local before, after = string.sub(text, HEAD + 1, place - 1), string.sub(text, place)
  return stamp(latest + spans[name] + margin) .. before .. stamp(at) .. padded(member) .. after
end

local changed = {}
local function keep(name, text)
  local owner = owner_of[name]
  kept[owner][name] = text
  changed[owner] = true
end

-- What the caller has read elsewhere; of what Redis has already, that counts for more.
local known = {}
for _, log in ipairs(call.known) do
  local name = log[1]
  known[name] = true
  for _, line in ipairs(log[2]) do
    local text = text_of(name)
    if not place_of(text, line[1]) then keep(name, with(text, name, line[1], line[2])) end
  end
end

-- A counter that is not there was empty, or was lost: which of the two only an old memory can tell.
local unknown = {}
for _, name in ipairs(names) do
  if not known[name] and began > now - spans[name] - margin and #text_of(name) <= HEAD then
    unknown[#unknown + 1] = name
  end
end

-- The first instant at which every window has room. A place of its own does not count against it.
local function room(text, windows, own)
  if own then text = without(text, own) end
  local first, lines = now, (#text - HEAD) / LINE
  for _, window in ipairs(windows) do
    local most = window[1]
    if lines >= most then
      local free = instant(text, HEAD + (lines - most) * LINE + 1) + window[2] + margin
      if free > first then first = free end
    end
  end
  return first
end

local function enter(name, member, at)
  local text, over = text_of(name), now - spans[name] - margin
  if #text > HEAD then
    local own, first = place_of(text, member), HEAD + 1
    if own then text = without(text, own) end
    while first < #text and instant(text, first) <= over do first = first + LINE end
    if first > HEAD + 1 then text = string.sub(text, 1, HEAD) .. string.sub(text, first) end
  end
  keep(name, with(text, name, member, at))
end

local places = {}
for number, wish in ipairs(#unknown > 0 and {} or call.wishes) do
  local member, wait, counters = wish[1], wish[2], wish[3]
  local at, stands = now, {}
  for index, counter in ipairs(counters) do
    local text = text_of(counter[1])
    -- Where nobody was told anything there is room.
    if #text > HEAD then
      local own = place_of(text, member)
      local told = own and instant(text, own)
      stands[index] = told and told >= now - margin
      local first = stands[index] and told or room(text, counter[2], own)
      if first > at then at = first end
    end
  end
  local taken = at - now <= wait
  if taken and not call.dry then
    for index, counter in ipairs(counters) do
      if not stands[index] then enter(counter[1], member, at) end
    end
  end
  places[number] = { taken, at - now }
end

for owner in pairs(changed) do
  local counters, last = kept[owner], now
  for name, text in pairs(counters) do
    local till = instant(text, 1)
    if till <= now then counters[name] = nil
    elseif till > last then last = till end
  end
  if last > now then redis.call('SET', prefix .. owner, cmsgpack.pack(counters), 'PX', whole(last - now)) end
end
return cmsgpack.pack({ unknown = unknown, places = places })
