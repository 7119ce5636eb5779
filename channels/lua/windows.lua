-- The sums of channels/rules/windows.py for a page of wishes, in one step for all processes.
-- KEYS: since when Redis remembers, and what all counters' names begin with.
local call = cmsgpack.unpack(ARGV[1])
local now, margin = call.now, call.margin

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

local since = redis.call('GET', KEYS[1])
if not since or call.anew then
  since = whole(now)
  redis.call('SET', KEYS[1], since)
end
local prefix, began = KEYS[2] .. since .. ':', tonumber(since)

local function span_of(counter)
  local longest = 0
  for _, window in ipairs(counter[2]) do
    if window[2] > longest then longest = window[2] end
  end
  return longest
end

local function keep(key, span, last)
  local left = last - now + span + margin
  if redis.call('PTTL', key) < left then redis.call('PEXPIRE', key, whole(left)) end
end

-- How many lines each counter has: most people's have none yet, and need not be asked for more.
local sizes = {}
local function size_of(name)
  local size = sizes[name]
  if not size then
    size = redis.call('ZCARD', prefix .. name)
    sizes[name] = size
  end
  return size
end

-- What the caller has read elsewhere, with the latest instant in it.
local known = {}
for _, log in ipairs(call.known) do
  local latest = now
  for _, line in ipairs(log[2]) do
    redis.call('ZADD', prefix .. log[1], 'NX', whole(line[2]), line[1])
    latest = math.max(latest, line[2])
  end
  known[log[1]] = latest
end

-- A counter that is not there was empty, or was lost: which of the two only an old memory can tell.
local unknown = {}
for _, wish in ipairs(call.wishes) do
  for _, counter in ipairs(wish[3]) do
    local name = counter[1]
    if not known[name] and began > now - span_of(counter) - margin and size_of(name) == 0 then
      known[name] = now
      unknown[#unknown + 1] = name
    end
  end
end
if #unknown > 0 then return cmsgpack.pack({ unknown = unknown, places = {} }) end

local function own_of(key, member)
  local own = redis.call('ZSCORE', key, member)
  return own and tonumber(own)
end

local function nth(key, size, at)
  if at >= size then return nil end
  local found = redis.call('ZREVRANGE', key, at, at, 'WITHSCORES')
  return found[2] and tonumber(found[2])
end

local function room(key, counter, size, own)
  local first = now
  for _, window in ipairs(counter[2]) do
    local most, span = window[1], window[2]
    local last = nth(key, size, most - 1)
    -- Its own old place does not count against it.
    if last and own and own >= last then last = nth(key, size, most) end
    if last and last + span + margin > first then first = last + span + margin end
  end
  return first
end

local function enter(key, counter, member, at)
  local name, span = counter[1], span_of(counter)
  local size = sizes[name]
  if size > 0 then size = size - redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now - span - margin)) end
  sizes[name] = size + redis.call('ZADD', key, whole(at), member)
  if size > 0 then keep(key, span, at) else redis.call('PEXPIRE', key, whole(at - now + span + margin)) end
end

local places = {}
for number, wish in ipairs(call.wishes) do
  local member, wait, counters = wish[1], wish[2], wish[3]
  local at, keys, stands = now, {}, {}
  for index, counter in ipairs(counters) do
    local key, size = prefix .. counter[1], size_of(counter[1])
    keys[index] = key
    -- Where nobody was told anything there is room.
    if size > 0 then
      if known[counter[1]] then keep(key, span_of(counter), known[counter[1]]) end
      local own = own_of(key, member)
      stands[index] = own and own >= now - margin
      local first = stands[index] and own or room(key, counter, size, own)
      if first > at then at = first end
    end
  end
  local taken = at - now <= wait
  if taken and not call.dry then
    for index, counter in ipairs(counters) do
      if not stands[index] then enter(keys[index], counter, member, at) end
    end
  end
  places[number] = { taken, at - now }
end
return cmsgpack.pack({ unknown = {}, places = places })
