/**
 * A client of DHCPv6 (RFC 8415) as far as a test needs it: asks on an interface, takes what the first server offers, and prints it.
 * Arguments: the interface, and its MAC address.
 */
import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';

const [device, mac] = process.argv.slice(2);
const [SOLICIT, ADVERTISE, REQUEST, REPLY] = [1, 2, 3, 7];
const [CLIENT, SERVER, ASSOCIATION, ADDRESS, WISHES, ELAPSED, RESOLVERS] = [1, 2, 3, 5, 6, 8, 23];
const SERVERS = 'ff02::1:2';
const transaction = Buffer.from([7, 7, 7]);

const own = networkInterfaces()[device]?.find((one) => one.address.startsWith('fe80:'))?.address;
if (own === undefined) throw new Error(`${device} has no link-local address`);

function option(code, ...parts) {
  const data = Buffer.concat(parts);
  const head = Buffer.alloc(4);
  head.writeUInt16BE(code, 0);
  head.writeUInt16BE(data.length, 2);
  return Buffer.concat([head, data]);
}

function optionsOf(data) {
  const found = new Map();
  for (let at = 0; at + 4 <= data.length; at += 4 + data.readUInt16BE(at + 2))
    found.set(data.readUInt16BE(at), data.subarray(at + 4, at + 4 + data.readUInt16BE(at + 2)));
  return found;
}

/** An address as the kernel writes it. */
function text(bytes) {
  const words = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16));
  return new URL(`http://[${words.join(':')}]/`).hostname.slice(1, -1);
}

const client = option(CLIENT, Buffer.from([0, 3, 0, 1]), Buffer.from(mac.replaceAll(':', ''), 'hex'));
const wanted = Buffer.from([0, RESOLVERS]);
const message = (type, ...more) =>
  Buffer.concat([
    Buffer.from([type]),
    transaction,
    client,
    option(WISHES, wanted),
    option(ELAPSED, Buffer.alloc(2)),
    ...more,
  ]);
const association = (...inner) => option(ASSOCIATION, Buffer.from([0, 0, 0, 1]), Buffer.alloc(8), ...inner);

const socket = createSocket('udp6');
const send = (data) => socket.send(data, 547, `${SERVERS}%${device}`);
let now = message(SOLICIT, association());

socket.on('message', (data) => {
  const options = optionsOf(data.subarray(4));
  const addresses = optionsOf((options.get(ASSOCIATION) ?? Buffer.alloc(12)).subarray(12));
  const given = addresses.get(ADDRESS);
  if (data[0] === ADVERTISE && given !== undefined) {
    now = message(REQUEST, option(SERVER, options.get(SERVER)), association(option(ADDRESS, given)));
    send(now);
  } else if (data[0] === REPLY) {
    const resolvers = options.get(RESOLVERS) ?? Buffer.alloc(0);
    const all = Array.from({ length: resolvers.length / 16 }, (_, index) => text(resolvers.subarray(16 * index)));
    console.log(JSON.stringify({ addresses: given === undefined ? [] : [text(given)], resolvers: all }));
    process.exit(0);
  }
});
socket.bind(546, `${own}%${device}`, () => {
  send(now);
  setInterval(() => send(now), 1000);
});
setTimeout(() => {
  console.error('no server answered');
  process.exit(1);
}, 15_000);
