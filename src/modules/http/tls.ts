import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { ConfigError } from '../../config/errors.js';
import { reasonOf } from '../../config/file.js';

/** What TLS is served with; both in PEM form. */
export interface TlsIdentity {
  /** The certificate, followed by those of its issuers as far as clients need them. */
  cert: Buffer;
  key: Buffer;
  /** When the certificate ends. */
  validTo: Date;
}

/**
 * Reads a certificate and its key.
 * @throws ConfigError with one sentence when a file cannot be read or used, or the key is not the certificate's
 */
export function loadTls(certPath: string, keyPath: string): TlsIdentity {
  const cert = read('certificate', certPath);
  const key = read('key', keyPath);
  const certificate = parseCertificate(cert, certPath);
  if (!certificate.checkPrivateKey(parseKey(key, keyPath))) {
    throw new ConfigError(`The TLS key ${keyPath} does not belong to the TLS certificate ${certPath}.`);
  }
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new ConfigError(`The TLS certificate ${certPath} cannot be used: ${(error as Error).message}.`);
  }
  return { cert, key, validTo: new Date(certificate.validTo) };
}

function read(what: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigError(`The TLS ${what} ${path} cannot be read: ${reasonOf(error)}.`);
  }
}

function parseCertificate(cert: Buffer, path: string): X509Certificate {
  try {
    if (cert.includes('-----BEGIN ')) return new X509Certificate(cert);
  } catch {
    // Said below, like whatever else is not what it should be.
  }
  throw new ConfigError(`The TLS certificate ${path} is not a certificate in PEM form.`);
}

function parseKey(key: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(key);
  } catch {
    throw new ConfigError(`The TLS key ${path} is not a private key in PEM form without a passphrase.`);
  }
}
