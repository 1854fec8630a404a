// The oldest Node that runs the gate. Plain old syntax, so that an older Node reaches the message.
const OLDEST = [20, 19];

export function checkNodeVersion() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  console.error(
    'promgate: error: Node ' + process.versions.node + ' is too old, ' + OLDEST.join('.') + ' or newer is needed',
  );
  console.error('promgate: hint: install Node 24 from https://nodejs.org/ or with your package manager');
  process.exit(1);
}
