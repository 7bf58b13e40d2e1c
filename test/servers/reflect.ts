// tsyringe, which @peculiar/x509 is built on, refuses to be imported without a Reflect polyfill, though
// x509 injects nothing that would need one. To be imported before @peculiar/x509.
Object.assign(Reflect, { getMetadata: () => undefined, getOwnMetadata: () => undefined });
