// Uploads a file to a crash as any program with a tus client would: node tus-upload.mjs MODULES URL FILE KEY CERTIFICATE SERVER-CERTIFICATE
import fs from 'node:fs'
import https from 'node:https'
import { createRequire } from 'node:module'

const [modules, url, file, key, cert, ca] = process.argv.slice(2)
const { Upload, DefaultHttpStack } = createRequire(`${modules}/`)('tus-js-client')
const tls = { key: fs.readFileSync(key), cert: fs.readFileSync(cert), ca: fs.readFileSync(ca), checkServerIdentity: () => undefined, minVersion: 'TLSv1.3' }

const ask = (method, path, body) => new Promise((resolve, reject) => {
  const request = https.request(`${url}${path}`, { ...tls, method, headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) } }, response => {
    let text = ''
    response.on('data', part => { text += part })
    response.on('end', () => response.statusCode < 300 ? resolve({ text, location: response.headers.location }) : reject(new Error(`${response.statusCode}: ${text}`)))
  })
  request.on('error', reject)
  request.end(body)
})

const { location } = await ask('POST', '/upload/v1/crashes', JSON.stringify({ title: 'sent by tus-js-client', program: 'tus-js-client' }))
console.log(`crash ${location}`)
await new Promise((resolve, reject) => {
  const upload = new Upload(fs.createReadStream(file), {
    endpoint: `${url}${location}/vmcore`,
    uploadSize: fs.statSync(file).size,
    chunkSize: 1 << 20,
    retryDelays: Array(60).fill(300),
    httpStack: new DefaultHttpStack(tls),
    onChunkComplete: (_, accepted) => console.log(`accepted ${accepted}`),
    onShouldRetry: () => true,
    onError: reject,
    onSuccess: resolve,
  })
  upload.start()
})
console.log(`done ${(await ask('POST', `${location}/done`, JSON.stringify({ bytes: fs.statSync(file).size }))).text}`)
