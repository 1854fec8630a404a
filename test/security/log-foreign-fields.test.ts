/** The attack: a certificate whose serial number has 40 000 bytes makes a log line of 80 kB with every handshake. */
import { expect, test } from 'vitest';
import { createLog } from '../../src/observe/log.ts';
import { certificateFields } from '../../src/listen/refusal-report.ts';

const FACTS = {
  id: 1,
  peer: '192.0.2.1',
  tls: {
    protocol: 'TLSv1.3',
    alpn: 'h2' as const,
    servername: null,
    certificateRequested: true,
    certificate: {
      subject: `CN=${'x'.repeat(50_000)}`,
      commonName: null,
      sans: { dns: [], email: [], uri: [], ip: [] },
      serial: 'AB'.repeat(40_000),
      spkiHash: '',
      notAfter: 0,
      verifyError: 'CERT_UNTRUSTED',
      chain: [],
    },
  },
};

test('what a certificate says of itself is cut', () => {
  const { certificateSubject = '', certificateSerial = '' } = certificateFields(FACTS);
  expect(certificateSubject.length).toBeLessThan(80);
  expect(certificateSerial.length).toBeLessThan(80);
});

test.each(['json', 'logfmt'] as const)('no value of a %s line is longer than 2 KiB, wherever it stands', (format) => {
  const lines: string[] = [];
  const log = createLog({ level: 'info', format, destination: { write: (line: string) => lines.push(line) } });
  const long = 'y'.repeat(80_000);
  log.info({ serial: long, nested: { deep: [long] }, err: new Error(long) }, 'connection refused');
  expect(lines).toHaveLength(1);
  expect(lines[0]?.length).toBeLessThan(12_000);
  expect(lines[0]).toContain('…');
});
