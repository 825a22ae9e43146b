// taquito's remote signer against a cluster. It verifies every signature it gets against the key
// that the signer names, and the key against the address; nothing here helps it.
//
// Standard input: {"urls": [...], "keys": [{"public_key_hash", "message", "rival"}], "unknown": "tz1..."}
// with messages in hexadecimal, magic byte first. Standard output: the signatures, in order, as JSON.

import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import taquitoSigner from '@taquito/remote-signer';
import taquitoForging from '@taquito/local-forging';

const { RemoteSigner } = taquitoSigner;
const { LocalForger } = taquitoForging;

const asked = JSON.parse(readFileSync(0, 'utf8'));
const signatures = [];
let turn = 0;
const signer = (key) => new RemoteSigner(key, asked.urls[turn++ % asked.urls.length]);
const sign = (key, message) =>
  signer(key).sign(message.slice(2), Uint8Array.of(Number.parseInt(message.slice(0, 2), 16)));

for (const key of asked.keys) {
  const signed = await sign(key.public_key_hash, key.message);
  signatures.push({ message: key.message, signature: signed.prefixSig });
  await assert.rejects(sign(key.public_key_hash, key.rival), (error) => error.status === 409);

  const operation = await new LocalForger().forge({
    branch: 'BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2',
    contents: [
      {
        kind: 'transaction',
        source: key.public_key_hash,
        destination: key.public_key_hash,
        amount: '1000000',
        fee: '500',
        counter: '7',
        gas_limit: '2000',
        storage_limit: '0',
      },
    ],
  });
  const transaction = await sign(key.public_key_hash, `03${operation}`);
  signatures.push({ message: `03${operation}`, signature: transaction.prefixSig });
}
await assert.rejects(sign(asked.unknown, asked.keys[0].message), { name: 'PublicKeyNotFoundError' });

console.log(JSON.stringify(signatures));
