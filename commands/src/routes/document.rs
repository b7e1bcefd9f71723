//! The OpenAPI document: made from the handlers themselves, and finished with what all share.

use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder,
    SecurityRequirement, Type,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::extract::{IDEMPOTENCY_KEY, SIGNATURE};
use crate::mirror::PREFER;
use crate::problem::{self, Document, ReasonItem};

const SCHEME: &str = "oidc";

/// The OpenAPI document of this API.
pub fn openapi() -> OpenApi {
    let (_, document) = super::api().split_for_parts();
    finish(document)
}

/// Adds what every operation has: bearer tokens, command headers, problem documents.
pub fn finish(mut document: OpenApi) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("Chancery")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The governance ledger of a data clean room. Commands take an Idempotency-Key and, \
             from members with a key, a Chancery-Signature; errors are RFC 9457 documents with \
             stable codes.",
        ))
        .build();
    let components = document.components.get_or_insert_with(Default::default);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.security_schemes.insert(SCHEME.to_owned(), SecurityScheme::Http(bearer));
    components.schemas.insert(Document::name().into_owned(), Document::schema());
    components.schemas.insert(ReasonItem::name().into_owned(), ReasonItem::schema());
    // A path parameter that takes the rest of the path is written as any other in OpenAPI.
    document.paths.paths = std::mem::take(&mut document.paths.paths)
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
    for item in document.paths.paths.values_mut() {
        for (operation, command) in
            [(&mut item.get, false), (&mut item.post, true), (&mut item.put, true)]
        {
            if let Some(operation) = operation {
                finish_operation(operation, command);
            }
        }
    }
    document
}

fn finish_operation(operation: &mut Operation, command: bool) {
    // Handlers of several resources share names; an operation's id must be its own.
    if let (Some(name), Some([tag, ..])) = (&operation.operation_id, operation.tags.as_deref()) {
        operation.operation_id = Some(format!("{tag}_{name}"));
    }
    if operation.security.is_none() {
        operation.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
    }
    let problem = ResponseBuilder::new()
        .description("A problem document (RFC 9457) with a stable code.")
        .content(
            problem::MEDIA_TYPE,
            ContentBuilder::new().schema(Some(Ref::from_schema_name(Document::name()))).build(),
        )
        .build();
    operation.responses.responses.insert("default".to_owned(), RefOr::T(problem));
    if !command {
        return;
    }
    let header = |name: &str, required: Required, text: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(required)
            .description(Some(text))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
            .build()
    };
    operation.parameters.get_or_insert_with(Vec::new).extend([
        header(
            IDEMPOTENCY_KEY.as_str(),
            Required::True,
            "The command's id: a fresh UUIDv7, the same one on a retry.",
        ),
        header(
            SIGNATURE.as_str(),
            Required::False,
            "The signed command: COSE_Sign1 in base64url. Required of members with a key.",
        ),
        header("if-match", Required::False, "The version of the subject that you expect."),
        header(
            PREFER.as_str(),
            Required::False,
            "wait=N: answer once the mirror has receipts for the command's events, or after N \
             seconds, 30 at most; `mirrored` says which.",
        ),
    ]);
}
