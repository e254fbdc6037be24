import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MessageCounter } from './message-counter.ts';

it('counts messages however they are cut, and one that is not whole as soon as its head is', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
      fc.array(fc.nat(20), { maxLength: 40 }),
      (messages, cuts) => {
        const body = Buffer.concat(
          messages.flatMap((message) => {
            const head = Buffer.alloc(5);
            head.writeUInt32BE(message.length, 1);
            return [head, Buffer.from(message)];
          }),
        );
        const counter = new MessageCounter();
        let at = 0;
        for (const cut of [...cuts, body.length]) {
          const end = Math.min(at + cut, body.length);
          counter.push(body, at, end);
          at = end;
        }
        expect(counter.messages).toBe(messages.length);
        counter.reset();
        counter.push(body, 0, body.length);
        expect(counter.messages).toBe(messages.length);
      },
    ),
  );
});
